"""The values that the SDK returns and accepts: frozen dataclasses, enums and numpy arrays.

Import them from `glasstape` itself.
"""
