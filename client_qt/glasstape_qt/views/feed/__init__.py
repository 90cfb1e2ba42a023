"""The list of buys, and alerts on screen, by sound and by notification."""
