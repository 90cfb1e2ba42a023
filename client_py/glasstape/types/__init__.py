"""The values that the SDK gives and takes: frozen dataclasses, enums and numpy arrays.

Import them from `glasstape` itself.
"""
