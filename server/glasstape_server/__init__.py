"""The Glasstape server: market bars in, calibrated and explained signals out, over gRPC."""

__version__ = "0.1.0"
