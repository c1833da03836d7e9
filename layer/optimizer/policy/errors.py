"""An error of a policy."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PolicyError:
    """An error at a path such as `memory.floor_mb` or `run.windows[0].start`; an empty path means the whole policy."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message
