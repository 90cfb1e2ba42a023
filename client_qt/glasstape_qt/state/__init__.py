"""What the desktop knows. Plain Python: no Qt in this room, so it can be tested and read without a screen."""
