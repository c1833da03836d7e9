"""Calls that time out or run out of memory: if more memory would help, and what to look at where it would not. Pure.

A call that hangs is not slow: its siblings end long before the Timeout, so more memory gains nothing. Where the slowest
calls that succeed come near the Timeout, a larger size is tried if the function's curve makes it faster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optimizer.core import Interval, figure
from optimizer.function_logs import SizeHistory

# One call in so many may be lost to the network, whatever the size.
_RARE = 1e-5
# A size whose slowest calls would take this share of the Timeout comes near it; below the second share they hang.
_NEAR, _HANGS = 0.8, 0.5
_SLOWEST = 0.99
# A larger size helps where calls take at most this share of the time.
HELPS = 0.95
# Code that fills so many sizes fills any: that is a leak.
_FILLED_SIZES = 3


@dataclass(frozen=True, slots=True)
class Failures:
    """The failures of the calls of the current code. timeout_ms: the function's own Timeout, None where not known."""

    sizes: Mapping[int, SizeHistory]
    now: SizeHistory
    timeout_ms: float | None

    @property
    def times_out(self) -> bool:
        """True if calls at the current size time out more often than by chance."""
        return self.share > _RARE

    @property
    def share(self) -> float:
        """The share of the calls at the current size that time out."""
        return self.now.timeouts / self.now.calls if self.now.calls else 0.0

    @property
    def slowest_ms(self) -> float:
        """The duration that one in a hundred of the calls that succeed exceeds."""
        return self.now.durations.quantile(_SLOWEST)

    def comes_near(self, predicted: Interval) -> bool:
        """Return True if the slowest calls at a size may come near the Timeout. predicted: its mean duration."""
        if self.timeout_ms is None or not self.now.durations.mean:
            return False
        return self.slowest_ms * predicted.high / self.now.durations.mean > _NEAR * self.timeout_ms

    def near_words(self, memory_mb: int, predicted: Interval) -> str:
        """Return why a size is not tried."""
        slowest_ms = self.slowest_ms * predicted.high / self.now.durations.mean
        return (
            f"{memory_mb} MB is not tried: its slowest calls may take {figure(slowest_ms)} ms, near the function's "
            f"Timeout of {figure(self.timeout_ms or 0.0)} ms."
        )

    @property
    def hang(self) -> str:
        """Return the advice where calls hang, or an empty string."""
        if self.timeout_ms is None or self.slowest_ms >= _HANGS * self.timeout_ms:
            return ""
        return (
            f"{self.words}. 99% of the calls that succeed end within {figure(self.slowest_ms)} ms, so the others hang: "
            "more memory would not help. Look at what they wait for, and give its client a timeout below the "
            "function's own."
        )

    def larger(self, sizes_mb: Sequence[int], predicted: Mapping[int, Interval]) -> int | None:
        """Return the smallest larger size at which calls are expected to be faster, or None."""
        most_ms = HELPS * self.now.durations.mean
        larger = (mb for mb in sorted(sizes_mb) if mb > self.now.memory_mb and mb in predicted)
        return next((mb for mb in larger if predicted[mb].estimate <= most_ms), None)

    @property
    def no_help(self) -> str:
        """Return the advice where no size that may be tried makes calls faster."""
        return (
            f"{self.words}. No larger size that the policy allows is expected to make calls faster. Look at what they "
            "wait for, or raise the Timeout. A smaller size is not tried while calls time out."
        )

    @property
    def words(self) -> str:
        """Return how many calls time out."""
        after = f" after {figure(self.timeout_ms / 1000)} s" if self.timeout_ms is not None else ""
        return f"{self.now.timeouts:,} of {self.now.calls:,} calls with {self.now.memory_mb} MB time out{after}"

    @property
    def leak(self) -> str:
        """Return the advice where the code fills every size it gets, or an empty string."""
        filled = sorted(mb for mb, size in self.sizes.items() if size.out_of_memory)
        if self.now.memory_mb not in filled or len(filled) < _FILLED_SIZES:
            return ""
        listed = ", ".join(f"{mb}" for mb in filled)
        return (
            f"Calls run out of memory at every size that was tried ({listed} MB), so more memory would not help: look "
            "for a leak, or for input that is read as a whole."
        )

    @property
    def memory_words(self) -> str:
        """Return how many calls ran out of memory, as a part of a reason; empty without any."""
        found = self.now.out_of_memory
        return f"{found:,} of {self.now.calls:,} calls ran out of memory: " if found else ""
