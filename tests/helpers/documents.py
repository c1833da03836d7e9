"""Read the documents of the repository as data: the commands and the JSON that they show."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = (
    *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "examples" / "README.md",
)
PROGRAMS = ("optimizer", "make", "sam", "aws", "apt-get", ".venv/bin/python", "python", "pip")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Shown:
    """A command or document that a page shows, and its place."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


def commands(begin: str = "") -> Iterator[Shown]:
    """Return every command in a block of its own that begins so, without its comment; continued lines are one."""
    for found in _blocks(""):
        lines = re.sub(r"\\\n\s*", " ", found.text).splitlines()
        for number, line in enumerate(lines):
            text = re.split(r"\s+#\s", line)[0].strip()
            if text.startswith(begin) and text.split(" ")[0] in PROGRAMS:
                yield Shown(found.file, found.line + number, text)


def commands_in_text() -> Iterator[Shown]:
    """Return our commands that are named in a sentence."""
    for path in FILES:
        for number, line in enumerate(_FENCE.sub(_blank, path.read_text()).splitlines(), 1):
            for text in _INLINE.findall(line):
                if text.startswith("optimizer "):
                    yield Shown(path.name, number, text)


def documents_in_json() -> Iterator[Shown]:
    """Return every block of JSON."""
    yield from _blocks("json")


def _blocks(language: str) -> Iterator[Shown]:
    for path in FILES:
        text = path.read_text()
        for found in _FENCE.finditer(text):
            if found[1] == language:
                yield Shown(path.name, text.count("\n", 0, found.start()) + 2, found[2])


def _blank(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


def run(
    command: str, folder: Path, environment: Mapping[str, str], given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one of our commands as it stands, in `folder`, with `given` typed.

    It sees no variable of AWS but those of `environment`, and it cannot open a browser.
    """
    program, *words = shlex.split(command)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(  # noqa: S603 - a command of our own documents
        [Path(sys.executable).parent / program, *words],
        cwd=folder,
        env={**inherited, "BROWSER": "true", **environment},
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
