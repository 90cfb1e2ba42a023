"""The Glasstape desktop: a watch table whose rows take the colour of the buy confidence, and why.

Licensed under GPL-3.0, because PyQt6 is. Uses only the public SDK.
"""
