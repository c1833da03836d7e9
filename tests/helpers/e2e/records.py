"""What each half of the end-to-end tests did: its process records it, and one of them judges all records together."""

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from local_account.account import LocalAccount

from tests.helpers.e2e.actions_taken import allowed, taken
from tests.helpers.together import DEPLOYED, DEPLOYED_TOO

HALVES = (DEPLOYED, DEPLOYED_TOO)
# The other half has begun long before, but may be the longer one.
_WITHIN_S = 3600.0
# The names of the files whose tests were run in this process.
RAN = pytest.StashKey[set[str]]()


@dataclass(frozen=True, slots=True)
class Record:
    """The files of a half, the actions that each Lambda took in its account, and those that its policies allow."""

    files: frozenset[str]
    done: Mapping[str, frozenset[str]]
    allowed: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one run of the tests, in a folder that its processes share."""

    folder: Path

    @classmethod
    def of_session(cls, factory: pytest.TempPathFactory) -> "Records":
        base = factory.getbasetemp()
        return cls(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)

    def write(self, half: str, files: Iterable[str], account: LocalAccount, functions: list[str]) -> Record:
        """Record what was done in the account so far, by tests of these files, and return the record."""
        rights = {function: allowed(account, function) for function in functions}
        document = {"files": sorted(files), "done": _lists(taken(account, functions)), "allowed": _lists(rights)}
        unfinished = self._path(half).with_suffix(".unfinished")
        unfinished.write_text(json.dumps(document))
        unfinished.rename(self._path(half))
        return _read(self._path(half))

    def all(self) -> list[Record]:
        """Return the record of each half. The last one is waited for."""
        deadline = time.monotonic() + _WITHIN_S
        while missing := [half for half in HALVES if not self._path(half).exists()]:
            assert time.monotonic() < deadline, f"no record of {' and '.join(missing)}"
            time.sleep(0.5)
        return [_read(self._path(half)) for half in HALVES]

    def _path(self, half: str) -> Path:
        return self.folder / f"{half.replace(' ', '-')}.json"


def _lists(actions: Mapping[str, set[str]]) -> dict[str, list[str]]:
    return {function: sorted(found) for function, found in actions.items()}


def _read(path: Path) -> Record:
    document = json.loads(path.read_text())
    sets = [{function: frozenset(found) for function, found in document[part].items()} for part in ("done", "allowed")]
    return Record(frozenset(document["files"]), *sets)
