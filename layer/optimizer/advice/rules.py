"""Give advice on one function: each rule by itself, and one piece of advice where two rules found one fault. Pure."""

from collections.abc import Callable, Iterator

from optimizer.advice.arm64 import advise_on_arm64
from optimizer.advice.concurrency import advise_on_concurrency
from optimizer.advice.duration import advise_on_duration
from optimizer.advice.errors import TIMEOUTS, advise_on_errors
from optimizer.advice.model import Advice, Signals, Subject
from optimizer.advice.snap_start import advise_on_snap_start
from optimizer.advice.throttles import advise_on_throttles
from optimizer.advice.timeouts import advise_on_timeouts
from optimizer.policy import AdviceLimits

_RULES: tuple[Callable[[Signals, AdviceLimits], Advice | None], ...] = (
    advise_on_errors,
    advise_on_throttles,
    advise_on_timeouts,
    advise_on_duration,
    advise_on_concurrency,
    advise_on_snap_start,
    advise_on_arm64,
)


def advise(
    name: str, signals: Signals, limits: AdviceLimits, nobody_waits: Callable[[], bool] = lambda: False
) -> tuple[Advice, ...]:
    """Return the advice on a function, the most urgent first; empty for a healthy one.

    name: of the function, which the policy may leave out. nobody_waits: tells if a queue or stream calls it,
    whose reservation holds it back on purpose; asked only where that matters, because few functions are worth it.
    """
    if not limits.has_advice(name):
        return ()
    found = {advice.subject: advice for rule in _RULES if (advice := rule(signals, limits)) is not None}
    return tuple(_without_repeats(found, nobody_waits))


def _without_repeats(found: dict[Subject, Advice], nobody_waits: Callable[[], bool]) -> Iterator[Advice]:
    for subject, advice in found.items():
        if subject is Subject.CONCURRENCY and (Subject.THROTTLES in found or nobody_waits()):
            continue
        failing = found.get(Subject.ERRORS)
        if subject is Subject.TIMEOUTS and failing is not None and failing.evidence["cause"] == TIMEOUTS:
            continue
        yield advice
