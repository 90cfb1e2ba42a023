"""Servers that share one feed over NATS JetStream: bars, leadership, membership."""
