"""The rooms of the layer: cheap doors, decisions without an SDK, handlers that import no more than before."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.import_times import ImportTimes

ROOT = Path(__file__).parents[3]
LAYER = ROOT / "layer"
DOORS = sorted(path for path in (LAYER / "optimizer").rglob("__init__.py") if "lazy_exports" in path.read_text())
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
DECIDING: Any = next(contract for contract in CONTRACTS if contract["type"] == "forbidden")
# What each handler imported at commit 54f5490: packages by name, and how many statements of the layer.
BEFORE = json.loads(Path(__file__).with_name("handler_imports.json").read_text())
# Of the standard library, what takes time to import.
HEAVY = frozenset(
    {
        "asyncio",
        "concurrent",
        "ctypes",
        "email",
        "http",
        "multiprocessing",
        "select",
        "socket",
        "sqlite3",
        "ssl",
        "tarfile",
        "unittest",
        "xml",
        "zipfile",
    }
)
# Doors and one file a subject cost a few statements of their own; a room that is loaded for nothing costs hundreds.
MORE_STATEMENTS = 1.12
# These do more than then: plans of pings know events, months, holidays and bursts, whose forecast every batch needs,
# and the prices of each Region; the policy has limits of advice; messages have topics and advice, and pages can be
# off; a ping asks who waits, and looks at the version behind the alias; a plan of TTLs weighs every TTL by its cost and
# checks the records of clients one by one.
MORE_STATEMENTS_OF = {
    "plan_warmups": 1.41,
    "plan_cache_ttls": 1.18,
    "warm_function": 1.19,
    "change_warmups": 1.18,
    "publish_results": 1.23,
}
# Import times at the same commit, which tests.helpers.import_times printed. On a busy machine they vary by a tenth; a
# package that is loaded for nothing adds a half.
TIMES_BEFORE = json.loads(Path(__file__).with_name("handler_import_times.json").read_text())
MORE_TIME = 1.3


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(LAYER).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("door", DOORS, ids=module_of)
def test_a_door_exports_what_its_types_say(door: Path) -> None:
    package = import_module(module_of(door))
    stub = ast.parse(door.with_suffix(".pyi").read_text())
    typed = {
        alias.name: node.module for node in ast.walk(stub) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    (listed,) = (node for node in ast.walk(ast.parse(door.read_text())) if isinstance(node, ast.Dict))
    exported = {
        name: f"{package.__name__}.{module}" for module, names in ast.literal_eval(listed).items() for name in names
    }
    assert exported == typed
    for name, module in exported.items():
        assert getattr(package, name) is getattr(import_module(module), name)
        # A submodule of the same name would take the place of the exported one as soon as it is loaded.
        assert not (door.parent / f"{name}.py").exists()
    with pytest.raises(AttributeError):
        package.no_such_name  # noqa: B018 - reading it is the test


def test_deciding_modules_load_no_sdk_driver_or_socket() -> None:
    modules = []
    for pattern in DECIDING["source_modules"]:
        path = LAYER.joinpath(*pattern.split("."))
        modules += [module_of(one) for one in path.parent.glob("*.py")] if pattern.endswith(".*") else [pattern]
    code = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]; print(*sys.modules)"
    loaded = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", code, *modules], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(modules) > 100
    assert {name.partition(".")[0] for name in loaded} & set(DECIDING["forbidden_modules"]) == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BEFORE))
def test_a_handler_imports_no_more_than_before(name: str) -> None:
    variables = {found: "x" for path in LAYER.rglob("environment.py") for found in _variables(path)}
    code = (
        "import importlib.util, sys; before = set(sys.modules); "
        f"spec = importlib.util.spec_from_file_location('app', {str(ROOT / 'functions' / name / 'app.py')!r}); "
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module); "
        "print(*(set(sys.modules) - before))"
    )
    environment = {**os.environ, **variables, "AWS_DEFAULT_REGION": "eu-central-1", "PYTHONPATH": str(LAYER)}
    loaded = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout.split()
    ours = {module for module in loaded if module.partition(".")[0] == "optimizer"}
    then = BEFORE[name]
    # Time zones ask Python for its own settings, which lie in a module named after the platform.
    packages = {module.partition(".")[0] for module in set(loaded) - ours if not module.startswith("_sysconfigdata")}
    counted = {package for package in packages if package in HEAVY or package not in sys.stdlib_module_names}
    assert counted - set(then["packages"]) == set()
    assert sum(map(_statements, ours)) <= MORE_STATEMENTS_OF.get(name, MORE_STATEMENTS) * then["statements"]


@pytest.fixture(scope="module")
def import_times(tmp_path_factory: pytest.TempPathFactory) -> ImportTimes:
    return ImportTimes(ROOT, tmp_path_factory.mktemp("compiled"))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TIMES_BEFORE))
def test_a_handler_is_imported_as_fast_as_before(name: str, import_times: ImportTimes) -> None:
    limit = MORE_TIME * TIMES_BEFORE[name]
    assert import_times.ratio_within(name, limit) <= limit


def test_every_handler_has_limits_for_its_imports() -> None:
    assert sorted(BEFORE) == sorted(TIMES_BEFORE)


def _variables(path: Path) -> list[str]:
    return re.findall(r'"(OPTIMIZER_\w+)"', path.read_text())


def _statements(module: str) -> int:
    path = LAYER.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return sum(isinstance(node, ast.stmt) for node in ast.walk(ast.parse(file.read_text())))
