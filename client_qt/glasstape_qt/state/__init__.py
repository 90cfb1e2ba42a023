"""State of the desktop in plain Python. Imports no Qt, so it can be tested and read without a display."""
