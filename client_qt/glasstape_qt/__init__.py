"""The Glasstape desktop: watch table, buys, alerts, heat maps and track record of a server's signals.

Licensed under GPL-3.0, because PyQt6 is. Uses the public SDK only.
"""
