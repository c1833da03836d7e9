"""Run commands with arguments and files that nobody should give.

Each prints an answer or one line about the mistake, and ends with the exit status of the help.
"""

import gzip
import importlib
import json
from collections.abc import Iterator
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, strategies as st
from local_account.traces import read_traces
from optimizer_cli.backtests import trace_files
from optimizer_cli.json_lines import serve
from optimizer_cli.main import main

from tests.helpers.faults.fuzzing import EXAMPLES, failure_of, is_ours, mutated
from tests.helpers.rates import ARM_PINGS

REQUESTS: dict[str, dict[str, Any]] = {
    "warmups": {
        "from": "2026-02-10T06:00:00Z",
        "hours_ahead": 4,
        "timezone": "Europe/Berlin",
        "duration_ms": 900,
        "keep_alive_minutes": 10,
        "idle_minutes_per_cold_start": 20,
        "minutes": [0, 0, 3, 1, 0, None] * 40,
        "hours": [5, 0, 7] * 24,
        "max_environments": 5,
    },
    "memory": {
        "architecture": "arm64",
        "memory_mb": 1024,
        "observed": {"1024": {"mean_duration_ms": 80.0, "invocations": 900}},
        "allowed_mb": [256, 512, 1024],
        "goal": "cost",
        "max_slowdown": 1.2,
        "changes_left": 2,
    },
    "ttl": {"kind": "predict", "ttls_s": [1, 60], "accesses": [[0.0, "a"], [5.0, "a"], [9.0, "b"], [70.0, "a"]]},
}


class Lines(list[str]):
    """A file that is written to."""

    def write(self, text: str) -> int:
        self.append(text)
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize("planner", REQUESTS)
def test_a_request_of_a_planner(planner: str) -> None:
    answer = importlib.import_module(f"optimizer_cli.planners.{planner}").answer

    @EXAMPLES
    @given(mutated(REQUESTS[planner]))
    def answers(request: Any) -> None:
        out = Lines()
        unreadable = serve([json.dumps(request)], out, answer)  # type: ignore[arg-type]
        (line,) = "".join(out).splitlines()
        assert ("error" in json.loads(line)) == (unreadable == 1)

    answers()


ROWS = [["timestamp", "invocations", "duration_ms"]] + [
    [f"2026-01-05T{n // 60:02}:{n % 60:02}:00Z", str(n % 7), "80.5"] for n in range(120)
]
FACTS = {"orders": {"period_s": 60, "timezone": "Europe/Berlin", "duration_ms": None, "note": "made up"}}


@st.composite
def folders(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Generate series.json and the content of a series."""
    facts = draw(st.one_of(st.just(FACTS), mutated(FACTS)))
    rows = [list(row) for row in ROWS]
    for _ in range(draw(st.integers(0, 3))):
        row = draw(st.integers(0, len(rows) - 1))
        column = draw(st.integers(0, 2))
        rows[row][column] = draw(st.one_of(st.text(max_size=8), st.sampled_from(["", "-3", "1e99", "nan", "inf"])))
    text = "\n".join(",".join(row) for row in rows)
    content = gzip.compress(text.encode(errors="replace"))
    return json.dumps(facts).encode(), draw(
        st.sampled_from([content, content[:40], text.encode(errors="replace"), b""])
    )


@EXAMPLES
@given(folders())
def test_a_folder_of_traces(tmp_path_factory: pytest.TempPathFactory, folder: tuple[bytes, bytes]) -> None:
    path = tmp_path_factory.mktemp("traces")
    (path / "series.json").write_bytes(folder[0])
    (path / "orders.csv.gz").write_bytes(folder[1])
    failure, _ = failure_of(lambda: list(trace_files.read(path, (), memory_mb=512, rates=ARM_PINGS, init_ms=300)))
    assert failure is None or is_ours(failure), f"{type(failure).__name__}: {failure}"
    failure, _ = failure_of(lambda: read_traces(path))
    assert failure is None or is_ours(failure), f"{type(failure).__name__}: {failure}"


@pytest.fixture(scope="module")
def nowhere() -> Iterator[None]:
    """Hide every account, so that none can be found."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        yield


def commands(group: Any = main, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Return every command with its place; not the demo, which takes no account but makes one."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))
        elif name != "demo":
            yield (*path, name), found


WORDS = [
    "",
    "-",
    "--",
    "x",
    "../x",
    "-1",
    "1e9",
    "nan",
    "💥",
    "/nonexistent",
    "{}",
    "postgresql://127.0.0.1:1/x",
]
KNOWN = dict(commands())


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Generate a command with options of its own and words that do not fit."""
    place = draw(st.sampled_from(sorted(KNOWN)))
    said = list(place)
    options = [option for one in KNOWN[place].params if isinstance(one, click.Option) for option in one.opts]
    one = st.sampled_from([*options, "--unknown"]) | st.sampled_from(WORDS)
    said += draw(st.lists(one, max_size=4))
    return said


@pytest.mark.usefixtures("nowhere")
@EXAMPLES
@given(command_lines())
def test_a_command_line(said: list[str]) -> None:
    result = CliRunner().invoke(main, said, input="")
    assert result.exception is None or isinstance(result.exception, SystemExit), (said, repr(result.exception))
    assert result.exit_code in range(5), (said, result.output)
    assert "Traceback" not in result.output
