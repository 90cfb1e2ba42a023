"""Types of arguments that several commands share."""

import argparse


def positive(text: str) -> int:
    """A whole number, 1 or more."""
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, is {text!r}")
    return value


def names(text: str) -> list[str]:
    """Names between commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
