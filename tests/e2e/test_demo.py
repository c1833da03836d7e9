"""Test the first command of the README itself: `optimizer demo`, as `make demo` starts it, without anybody there."""

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

# No step of the demo says nothing for longer: the build is the longest one.
STANDSTILL_S = 420.0
OPTIMIZER = Path(sys.executable).with_name("optimizer")


@dataclass(slots=True)
class Lines:
    """The lines of a stream with the time of the last one."""

    lines: list[str] = field(default_factory=list)
    last: float = field(default_factory=time.monotonic)

    def read(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.append(line.rstrip())
            self.last = time.monotonic()


@dataclass(frozen=True, slots=True)
class Demo:
    """The end of the command: its code, its progress, its result, and the folder that it ran in."""

    code: int
    progress: str
    result: dict[str, Any]
    folder: Path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo")
    process = subprocess.Popen(  # noqa: S603  the command of this project
        [str(OPTIMIZER), "demo", "--approve", "--json"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    output, progress = Lines(), Lines()
    readers = [
        threading.Thread(target=lines.read, args=(stream,), daemon=True)
        for lines, stream in ((output, process.stdout), (progress, process.stderr))
    ]
    for reader in readers:
        reader.start()
    while process.poll() is None:
        if time.monotonic() - max(output.last, progress.last) > STANDSTILL_S:
            process.terminate()
            process.wait(60)
            pytest.fail(f"nothing happened for {STANDSTILL_S:.0f} s after: {progress.lines[-3:]}")
        time.sleep(0.5)
    for reader in readers:
        reader.join()
    said = "\n".join(progress.lines)
    assert process.returncode == 0, said
    return Demo(process.returncode, said, json.loads("\n".join(output.lines)), folder)


def test_demo_succeeds_unattended(demo: Demo) -> None:
    assert (demo.code, demo.result["status"]) == (0, "SUCCEEDED"), demo.progress
    assert "SUCCEEDED after" in demo.progress


def test_demo_asks_and_answers_itself(demo: Demo) -> None:
    """The link comes by a message, and the page behind it takes the answer."""
    assert "Responded:" in demo.progress
    approved = [item for item in demo.result["plan"]["proposals"] if item["verdict"] == "ask"]
    assert approved


def test_demo_applies_what_was_approved(demo: Demo) -> None:
    assert demo.result["outcomes"]
    assert demo.result["memory_mb"] or demo.result["schedules"] or demo.result["ttls"]
    assert any("optimizer" in message["subject"].lower() or message["message"] for message in demo.result["messages"])


def test_demo_leaves_the_documents_of_its_run(demo: Demo) -> None:
    documents = Path(demo.result["folder"])
    folder = documents if documents.is_absolute() else demo.folder / documents
    assert json.loads((folder / "plan.json").read_text()) == demo.result["plan"]
