"""The decorator for Python functions, and its Node.js version in docs/warmups.md."""

import importlib.util
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from optimizer.core.ping import ping_payload, read_answer

ROOT = Path(__file__).parents[3]
PING = json.loads(ping_payload(0))


def load() -> ModuleType:
    path = ROOT / "packages" / "optimizer-warmable" / "optimizer_warmable" / "__init__.py"
    spec = importlib.util.spec_from_file_location("optimizer_warmable", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def package() -> ModuleType:
    return load()


def test_a_ping_is_answered_without_running_the_function(package: ModuleType) -> None:
    ran: list[Any] = []
    handler = package.warmable(lambda event, _context: ran.append(event))
    answer = read_answer(json.dumps(handler(PING, None)).encode())
    assert answer.cold
    assert ran == []


def test_only_the_first_call_of_an_environment_is_cold(package: ModuleType) -> None:
    handler = package.warmable(lambda _event, _context: "ran")
    handler({"order": 1}, None)
    assert handler(PING, None)["optimizer_warmup"]["cold"] is False


def test_environment_ready_before_its_first_call_is_not_cold(
    package: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency")
    handler = package.warmable(lambda _event, _context: "ran")
    assert handler(PING, None)["optimizer_warmup"]["cold"] is False


def test_each_environment_has_an_id_of_its_own_that_it_keeps(package: ModuleType) -> None:
    one, two = (package.warmable(lambda _e, _c: None) for _ in range(2))
    ids = [handler(PING, None)["optimizer_warmup"]["instance"] for handler in (one, one, two)]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("event", [{"order": 1}, [1], "text", None, {"optimizer": {"optimizer_warmup": {}}}])
def test_any_other_event_goes_to_the_function(package: ModuleType, event: Any) -> None:
    assert package.warmable(lambda e, _context: ("ran", e))(event, None) == ("ran", event)


def test_the_function_keeps_its_name_and_its_errors(package: ModuleType) -> None:
    def orders(_event: Any, _context: Any) -> None:
        raise KeyError("no such order")

    handler = package.warmable(orders)
    assert handler.__name__ == "orders"
    with pytest.raises(KeyError, match="no such order"):
        handler({}, None)


@pytest.mark.parametrize(
    ("asked", "left_ms", "held_ms"),
    [
        (30, None, 30),
        (10**9, 130, 30),
        (50, 40, 0),
        (0, None, 0),
        (-5, None, 0),
        (float("nan"), None, 0),
        (True, None, 0),
        ("50", None, 0),
    ],
)
def test_hold_is_as_long_as_requested_within_the_timeout(
    package: ModuleType, monkeypatch: pytest.MonkeyPatch, asked: Any, left_ms: int | None, held_ms: float
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(package.time, "sleep", slept.append)
    context = None if left_ms is None else SimpleNamespace(get_remaining_time_in_millis=lambda: left_ms)
    package.warmable(lambda _e, _c: None)({"optimizer_warmup": {"hold_ms": asked}}, context)
    assert slept == [held_ms / 1000]


def test_no_hold_is_longer_than_ten_seconds(package: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(package.time, "sleep", slept.append)
    package.warmable(lambda _e, _c: None)({"optimizer_warmup": {"hold_ms": 60_000}}, None)
    assert slept == [package.MAX_HOLD_MS / 1000]


def test_an_ordinary_call_costs_under_50_microseconds(package: ModuleType) -> None:
    def plain(event: Any, _context: Any) -> Any:
        return event

    decorated, event, calls = package.warmable(plain), {"order": 1}, 20_000

    def per_call_us(handler: Any) -> float:
        began = time.process_time()
        for _ in range(calls):
            handler(event, None)
        return (time.process_time() - began) / calls * 1e6

    extra = min(per_call_us(decorated) for _ in range(3)) - min(per_call_us(plain) for _ in range(3))
    assert extra < 50


def test_package_needs_only_the_standard_library(package: ModuleType) -> None:
    source = Path(str(package.__file__)).read_text()
    imported = re.findall(r"^(?:import|from) ([\w.]+)", source, re.MULTILINE)
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_documented_node_version_answers_the_same(tmp_path: Path, program: Callable[[str], str]) -> None:
    node = program("node")
    document = (ROOT / "docs" / "warmups.md").read_text()
    (source,) = re.findall(r"```js\n(.*?)```", document, re.DOTALL)
    assert len(source.strip().splitlines()) <= 20
    (tmp_path / "warmable.mjs").write_text(source)
    (tmp_path / "run.mjs").write_text("""
        import { warmable } from "./warmable.mjs";
        const handler = warmable(async (event) => ({ ran: event }));
        const ping = { optimizer_warmup: { hold_ms: 40 } };
        const began = Date.now();
        const first = await handler(ping, { getRemainingTimeInMillis: () => 3000 });
        const held = Date.now() - began;
        const calls = 20000, before = process.hrtime.bigint();
        for (let i = 0; i < calls; i++) handler({ order: 1 }, {});
        const us = Number(process.hrtime.bigint() - before) / 1000 / calls;
        const second = await handler(ping, {});
        console.log(JSON.stringify({ first, held, us, second, other: await handler({ a: 1 }) }));
    """)
    done = subprocess.run([node, "run.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    result = json.loads(done.stdout)
    assert read_answer(json.dumps(result["first"]).encode()).cold
    assert result["held"] >= 38
    assert result["us"] < 50
    assert read_answer(json.dumps(result["second"]).encode()).cold is False
    assert result["first"]["optimizer_warmup"]["instance"] == result["second"]["optimizer_warmup"]["instance"]
    assert result["other"] == {"ran": {"a": 1}}
