"""The state of an assessment in a local file, so that one that was stopped goes on where it was.

Each line is a JSON object. Lines are only appended; a line that was cut off by a crash is ignored.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from optimizer.assess.facts import ListedFunction
from optimizer.assess.model import FunctionRow, ServerRow
from optimizer.assess.reads import MissingRight
from optimizer.core import plain

# Another version of the file is not read: the assessment begins again.
_VERSION = 1
# Metrics and prices move on; an older state is not continued.
OLDEST = timedelta(hours=12)


@dataclass(slots=True)
class AssessmentState:
    """Everything that is known so far. policy: digest of the policy it was made with."""

    account: str
    region: str
    started_at: datetime
    policy: str
    functions: list[ListedFunction] = field(default_factory=list)
    servers: list[ServerRow] = field(default_factory=list)
    scaled: dict[str, tuple[int, int]] = field(default_factory=dict)
    rows: dict[str, FunctionRow] = field(default_factory=dict)
    rights: dict[str, MissingRight] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    metrics: int = 0
    log_bytes: float = 0.0
    is_listed: bool = False


class StateFile:
    """The file of one account and Region."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, state: AssessmentState) -> None:
        """Replace the file by one with nothing but the beginning of an assessment."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Names of functions and owners are nobody else's business on a shared machine.
        os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        self.append(
            "start",
            version=_VERSION,
            account=state.account,
            region=state.region,
            started_at=state.started_at,
            policy=state.policy,
        )

    def append(self, kind: str, **document: object) -> None:
        """Append one line and write it through to the disk."""
        with self.path.open("a+b") as file:
            # A line that was cut off must not swallow the next one.
            if file.tell() and not _ends_a_line(file):
                file.write(b"\n")
            file.write(json.dumps({"kind": kind, **plain(document)}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self, account: str, region: str, policy: str, now: datetime) -> AssessmentState | None:
        """Return the state to go on from; None if there is none of this account, Region and policy, or an old one."""
        state: AssessmentState | None = None
        for line in self._lines():
            match line.pop("kind"):
                case "start":
                    state = _started(line)
                    if state is None or (state.account, state.region, state.policy) != (account, region, policy):
                        return None
                case "listed" if state is not None:
                    state.functions = [ListedFunction.from_document(one) for one in line["functions"]]
                    state.servers = [ServerRow.from_document(one) for one in line["servers"]]
                    state.scaled = {name: (least, most) for name, (least, most) in line["scaled"].items()}
                    state.is_listed = True
                case "rows" if state is not None:
                    rows = [FunctionRow.from_document(one) for one in line["rows"]]
                    state.rows |= {row.name: row for row in rows}
                case "spent" if state is not None:
                    add_spent(state, line)
        if state is None or not state.is_listed or now - state.started_at > OLDEST:
            return None
        return state

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        for line in text.splitlines():
            try:
                document = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(document, dict) and "kind" in document:
                yield document


def _ends_a_line(file: IO[bytes]) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _started(line: Mapping[str, Any]) -> AssessmentState | None:
    if line.get("version") != _VERSION:
        return None
    return AssessmentState(line["account"], line["region"], datetime.fromisoformat(line["started_at"]), line["policy"])


def add_spent(state: AssessmentState, spent: Mapping[str, Any]) -> None:
    """Add the calls of one part of the assessment."""
    for name in ("calls", "refused"):
        into: dict[str, int] = getattr(state, name)
        for call, number in spent[name].items():
            into[call] = into.get(call, 0) + number
    state.metrics += spent["metrics"]
    state.log_bytes += spent["log_bytes"]
    state.rights |= {right["action"]: MissingRight(**right) for right in spent["rights"]}
