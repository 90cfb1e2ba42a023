"""The compute device: its queue, its thread, and the work it runs."""
