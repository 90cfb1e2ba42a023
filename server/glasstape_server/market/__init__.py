"""Bars: the rules they obey, where they are kept, and where they come from."""
