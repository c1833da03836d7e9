"""How the layer for Python finds the function's module, by finders and loaders of all kinds."""

import importlib
import importlib.util
import runpy
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import pytest

from tests.helpers.warm_layer import build_script

PING = {"optimizer_warmup": {"hold_ms": 0}}
SOURCE = "def handler(event, context):\n    return 'ran'\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Provide the names of run.py; what it changes is undone."""
    build_script().unpack(tmp_path / "opt")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield runpy.run_path(str(tmp_path / "opt" / "optimizer-warmable-files" / "run.py"), run_name="run")
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_module_in_an_archive_answers_pings(run: dict[str, Any], tmp_path: Path) -> None:
    with ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("archived_orders.py", SOURCE)
        archive.writestr("archived_other.py", SOURCE)
    sys.path.insert(0, str(tmp_path / "code.zip"))
    run["prepare"]("archived_orders", "handler")
    # Looking for it twice and importing a neighbour from the same archive changes nothing.
    for _ in range(2):
        assert importlib.util.find_spec("archived_orders") is not None
    other = importlib.import_module("archived_other")
    handler = importlib.import_module("archived_orders").handler
    assert "optimizer_warmup" in handler(PING, None)
    assert handler({}, None) == "ran"
    assert other.handler(PING, None) == "ran"


def test_module_that_was_imported_before_answers_pings(run: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "early_orders.py").write_text(SOURCE)
    sys.path.insert(0, str(tmp_path))
    module = importlib.import_module("early_orders")
    run["prepare"]("early_orders", "handler")
    assert "optimizer_warmup" in module.handler(PING, None)
    # It can still be replaced and removed.
    module.handler = lambda _event, _context: "other"
    assert module.handler({}, None) == "other"
    del module.handler
    assert not hasattr(module, "handler")


def test_reloaded_module_answers_pings(run: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "reloaded_orders.py").write_text(SOURCE)
    sys.path.insert(0, str(tmp_path))
    run["prepare"]("reloaded_orders", "handler")
    module = importlib.reload(importlib.import_module("reloaded_orders"))
    assert "optimizer_warmup" in module.handler(PING, None)
    assert module.handler({}, None) == "ran"


def test_loader_without_attributes_is_left_alone(run: dict[str, Any]) -> None:
    """The function works; only its pings are not answered."""

    class Loader:
        __slots__ = ()

        def create_module(self, spec: ModuleSpec) -> None:
            del spec

        def exec_module(self, module: ModuleType) -> None:
            exec(SOURCE, vars(module))  # noqa: S102 - our own source

    class Finder:
        def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
            del path, target
            return ModuleSpec(fullname, Loader()) if fullname == "made_orders" else None  # type: ignore[arg-type]

    sys.meta_path.insert(0, Finder())
    run["prepare"]("made_orders", "handler")
    assert importlib.import_module("made_orders").handler({}, None) == "ran"


def test_module_that_is_nowhere_is_not_found(run: dict[str, Any]) -> None:
    run["prepare"]("missing_orders", "handler")
    with pytest.raises(ModuleNotFoundError, match="No module named 'missing_orders'"):
        importlib.import_module("missing_orders")
