"""The account of bench/assess.py: functions that nobody tagged, databases, a cache, quotas, and rights to take away."""

import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any


def bench() -> ModuleType:
    """Load bench/assess.py."""
    path = Path(__file__).parents[2] / "bench" / "assess.py"
    spec = importlib.util.spec_from_file_location("bench_assess", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Untouched:
    """The account while it runs."""

    module: ModuleType
    url: str

    def deny(self, *actions: str) -> None:
        """Take rights away, and give all others."""
        self.module.own(self.url, "deny", json.dumps(actions).encode())
        self.module.own(self.url, "reset")

    @property
    def calls(self) -> dict[str, int]:
        """The log of calls: how often each operation was called."""
        found: dict[str, int] = self.module.own(self.url, "counted")["calls"]
        return found

    @property
    def counted(self) -> Any:
        """All that was counted."""
        return self.module.own(self.url, "counted")

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a command that uses the account."""
        found: dict[str, str] = self.module.environment_of(self.url)
        return found

    def not_reads(self) -> list[str]:
        """Return the calls that do more than read."""
        found: list[str] = self.module.not_reads(self.calls)
        return found


@contextmanager
def untouched(functions: int) -> Iterator[Untouched]:
    """Run the account."""
    module = bench()
    with module.untouched_account(functions) as url:
        yield Untouched(module, url)
