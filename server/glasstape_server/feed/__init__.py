"""From closed bars to subscribers: decide, journal, fan out. Knows neither gRPC nor torch."""
