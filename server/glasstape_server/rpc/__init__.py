"""The wire: servicers, conversion between messages and values, errors. The only room with gRPC."""
