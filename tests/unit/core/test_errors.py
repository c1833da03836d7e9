"""The application's own errors have one root, and keep the built-in base that callers catch."""

import ast
import builtins
from pathlib import Path

import pytest
from optimizer.core import MalformedChange, OptimizerError
from optimizer.indexes.connect.drivers import AccessDenied
from optimizer.store.errors import NoSuchRun

_LAYER = Path(__file__).parents[3] / "layer/optimizer"
_BUILT_IN = {name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)}


@pytest.mark.parametrize(
    ("error", "builtin"), [(MalformedChange, ValueError), (NoSuchRun, LookupError), (AccessDenied, PermissionError)]
)
def test_errors_are_caught_by_either_base(error: type[Exception], builtin: type[Exception]) -> None:
    for base in (OptimizerError, builtin):
        with pytest.raises(base, match="of orders"):
            raise error("of orders")


def test_every_error_derives_from_the_root() -> None:
    rootless = [
        f"{path.relative_to(_LAYER)}: {node.name}"
        for path in sorted(_LAYER.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name != "OptimizerError"
        for bases in [{base.id for base in node.bases if isinstance(base, ast.Name)}]
        if bases & _BUILT_IN and "OptimizerError" not in bases
    ]

    assert rootless == []
