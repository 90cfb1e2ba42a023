"""Conversion between values and messages, as plain functions. Nothing outside the SDK sees a message."""
