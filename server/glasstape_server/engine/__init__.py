"""The device: one thread that owns torch, and the queue in front of it."""
