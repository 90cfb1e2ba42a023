"""Dialogs for settings and server profiles."""
