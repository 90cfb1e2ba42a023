"""Modules that are imported at their first use, so that importing a client costs little more than importing grpc."""

from importlib import import_module
from typing import Any


class LazyModule:
    """Stands for a module until an attribute of it is read. Unlike importlib's LazyLoader, safe with threads."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)
