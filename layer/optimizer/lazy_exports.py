"""Doors of rooms that cost nothing until they are used."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def lazy_exports(package: str, names: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """Return a module `__getattr__` (PEP 562) that imports the module of a name when the name is first used, so that
    no Lambda loads more of a room than it needs. `names`: module of the package to the names that it exports. The same
    names stand in `__init__.pyi`, for readers and type checkers."""
    homes = {name: module for module, exported in names.items() for name in exported}

    def resolve(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return resolve
