"""The layer optimizer-warmable, as its own script builds it."""

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "packages" / "optimizer-warmable" / "layer"


def build_script() -> ModuleType:
    """Return the module that builds the layer."""
    spec = importlib.util.spec_from_file_location("build_layer", LAYER / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def archive() -> bytes:
    """Return the layer as a zip archive."""
    made: bytes = build_script().archive()
    return made
