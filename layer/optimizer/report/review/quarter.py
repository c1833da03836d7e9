"""The review of a quarter: traffic and its forecast, outcomes by tuner, blocked changes by rule. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from optimizer.core import Interval, Status, StoredChange
from optimizer.report.savings import VerifiedSavings
from optimizer.report.text import who_can_open
from optimizer.report.wording import count, dollars, wrap

DAYS = 91
WEEKS_AHEAD = 13
# In fewer weeks a trend cannot be told from chance.
_LEAST_WEEKS = 4
# Earlier versions proposed changes that their run was not started for, and then blocked them: no run could apply them.
_NOT_ASKED = "run.request"
_MADE = frozenset({Status.WATCHING, Status.KEPT, Status.REVERTED, Status.FAILED, Status.APPLYING, Status.REVERTING})


@dataclass(frozen=True, slots=True)
class ReviewWeek:
    """Traffic of a week, as its last good run saw it: `calls_day` and `environments` (the sum of the peaks) of all
    `functions`."""

    week: str
    functions: int
    calls_day: float
    environments: int


@dataclass(frozen=True, slots=True)
class TunerOutcomes:
    """Outcomes of one tuner's proposals, counted."""

    tuner: str
    proposed: int
    refused: int
    made: int
    kept: int
    taken_back: int


@dataclass(frozen=True, slots=True)
class Review:
    """A quarter. `calls_day_ahead` and `environments_ahead` are forecasts for the end of the next one; None: too few
    weeks. `rules` counts blocked changes by rule, most first. `advice` holds suggestions, a sentence each."""

    run_id: str
    since: datetime
    until: datetime
    weeks: tuple[ReviewWeek, ...]
    calls_day_ahead: Interval | None
    environments_ahead: Interval | None
    runs: Mapping[str, int]
    tuners: tuple[TunerOutcomes, ...]
    rules: tuple[tuple[str, int], ...]
    proved: VerifiedSavings
    advice: tuple[str, ...]


def review(
    run_id: str,
    since: datetime,
    until: datetime,
    weeks: Sequence[ReviewWeek],
    runs: Iterable[Mapping[str, Any]],
    changes: Sequence[StoredChange],
    proved: VerifiedSavings,
) -> Review:
    """Return the review of the quarter from `since` to `until`. `weeks` come oldest first."""
    changes = [stored for stored in changes if stored.rule != _NOT_ASKED]
    tuners = tuple(_tuned(tuner, changes) for tuner in sorted({stored.change.tuner.value for stored in changes}))
    rules = Counter(stored.rule for stored in changes if stored.status is Status.REFUSED and stored.rule)
    ended = Counter(str(run["status"]) for run in runs)
    return Review(
        run_id=run_id,
        since=since,
        until=until,
        weeks=tuple(weeks),
        calls_day_ahead=ahead([week.calls_day for week in weeks], 1),
        environments_ahead=ahead([float(week.environments) for week in weeks], 0),
        runs=dict(ended),
        tuners=tuners,
        rules=tuple(rules.most_common()),
        proved=proved,
        advice=tuple(_advice(tuners, rules, ended)),
    )


def ahead(values: Sequence[float], digits: int) -> Interval | None:
    """Return the value a quarter later on the line through the weeks, never below zero; None after too few weeks.

    The slope is the median of those between all pairs (Theil 1950, Sen 1968), which a few odd weeks do not move; its
    quartiles give the range."""
    count = len(values)
    if count < _LEAST_WEEKS:
        return None
    slopes = sorted((values[b] - values[a]) / (b - a) for a in range(count) for b in range(a + 1, count))
    # The last week alone may be an odd one, so the level is that of the whole line.
    level = median(values[at] - median(slopes) * (at - (count - 1)) for at in range(count))
    found = [slopes[len(slopes) // 4], median(slopes), slopes[3 * len(slopes) // 4]]
    low, middle, high = (round(max(0.0, level + slope * WEEKS_AHEAD), digits) for slope in found)
    return Interval(middle, min(low, middle), max(high, middle))


def _tuned(tuner: str, changes: Iterable[StoredChange]) -> TunerOutcomes:
    mine = [stored.status for stored in changes if stored.change.tuner == tuner]
    return TunerOutcomes(
        tuner=tuner,
        proposed=len(mine),
        refused=mine.count(Status.REFUSED),
        made=sum(status in _MADE for status in mine),
        kept=mine.count(Status.KEPT),
        taken_back=mine.count(Status.REVERTED),
    )


def _advice(tuners: Iterable[TunerOutcomes], rules: Counter[str], runs: Counter[str]) -> Iterable[str]:
    for tuned in tuners:
        ended, name = tuned.kept + tuned.taken_back, tuned.tuner.replace("_", " ")
        if ended >= 5 and tuned.taken_back > ended / 3:
            yield (
                f"{tuned.taken_back} of {ended} changes of {name} were rolled back: allow smaller steps or a longer "
                f"observation in the policy."
            )
        if tuned.proposed >= 10 and not tuned.made:
            yield f"None of {tuned.proposed} proposals of {name} was applied: allow some, or turn the tuner off."
    proposed = sum(tuned.proposed for tuned in tuners)
    for rule, times in rules.most_common(3):
        if proposed and times > proposed / 5:
            yield f"{rule} blocked {times} of {proposed} proposals: check whether its threshold still is what you want."
    if runs["failed"]:
        yield f"{runs['failed']} runs failed: see docs/operations.md, Failed runs."


def review_subject(made: Review) -> str:
    """Return one ASCII line under 100 characters."""
    return (
        f"Optimizer: review of {made.since:%Y-%m-%d} to {made.until:%Y-%m-%d}, {count(len(made.advice), 'suggestion')}"
    )


def review_body(made: Review, url: str = "", ends: datetime | None = None) -> str:
    """Return the text of the mail.

    `url` leads to the page, which can be read until `ends`; without an end, it is the command that does.
    """
    runs = ", ".join(f"{number} {status}" for status, number in sorted(made.runs.items())) or "none"
    parts = [f"Review of {made.since:%Y-%m-%d} to {made.until:%Y-%m-%d}. Runs: {runs}."]
    if made.weeks:
        last = made.weeks[-1]
        parts.append(
            f"Now: {last.functions} functions, {last.calls_day:.0f} calls a day, {last.environments} environments if "
            f"all functions had their peak at once."
        )
    if made.calls_day_ahead and made.environments_ahead:
        parts.append(
            f"Forecast for the end of the next quarter: {_range(made.calls_day_ahead)} calls a day, "
            f"{_range(made.environments_ahead)} environments."
        )
    else:
        parts.append("There are too few weeks of history for a forecast of the next quarter.")
    if made.proved.measured:
        parts.append(
            f"Verified savings of {count(made.proved.measured, 'change')}: "
            f"{dollars(-made.proved.measured_usd_month)} a month "
            f"(estimated: {dollars(-made.proved.claimed_usd_month)})."
        )
    if url:
        parts += ["", f"Page with charts, {who_can_open(ends)}:", url]
    parts += ["", f"Suggestions: {len(made.advice)}", *(f"- {line}" for line in made.advice)]
    parts += ["", "Proposals by tuner:"]
    parts += [
        f"- {tuned.tuner.replace('_', ' ')}: {tuned.proposed} proposed, {tuned.refused} blocked, {tuned.made} applied, "
        f"{tuned.kept} kept, {tuned.taken_back} rolled back"
        for tuned in made.tuners
    ]
    parts += ["", "Blocked by rule:", *(f"- {rule}: {times}" for rule, times in made.rules)]
    return "\n".join(part if part == url else wrap(part) for part in parts) + "\n"


def _range(found: Interval) -> str:
    return f"{found.estimate:,.0f} ({found.low:,.0f} to {found.high:,.0f})"
