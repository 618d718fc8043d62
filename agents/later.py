"""Packages that are read when something of them is asked for, not when they are named.

For what others import without using it. A module of `import_later` is in its place at once, with
its submodules; its own file runs when an attribute is missing.
"""

import importlib.util
import sys
import threading
from collections.abc import MutableSequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def import_later(name: str) -> None:
    """Put a package in its place without reading it; nothing happens if it is there or absent."""
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None or spec.submodule_search_locations is None:
        return
    module = _Later(spec, spec.loader, spec.submodule_search_locations)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


class _Later(ModuleType):
    """A package whose file has not run yet."""

    def __init__(self, spec: ModuleSpec, loader: Loader, places: MutableSequence[str]) -> None:
        super().__init__(spec.name)
        self.__spec__ = spec
        self.__loader__ = self._loader = loader
        self.__package__ = spec.name
        self.__file__ = spec.origin
        self.__path__ = places
        self._reading = threading.RLock()
        self._begun = False

    def __getattr__(self, name: str) -> Any:
        # Python itself looks for some of these before the file has run, and can do without.
        if not name.startswith("__") or name == "__all__":
            with self._reading:
                if not self._begun:
                    self._begun = True
                    self._loader.exec_module(self)
                if name in self.__dict__:
                    return self.__dict__[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
