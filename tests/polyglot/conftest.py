"""The server of these tests runs on both wires."""

from wires import market

__all__ = ["market"]
