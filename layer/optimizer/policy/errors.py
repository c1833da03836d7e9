"""One error of a policy."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PolicyError:
    """One thing that is wrong. `path` is written as `memory.floor_mb` or `run.windows[0].start`; empty: the whole."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message
