"""Predict and Explain over domain values; imports neither protobuf nor grpc."""
