"""The mail about the review of a quarter."""

from datetime import datetime

from optimizer.core import Interval
from optimizer.report.review import Review
from optimizer.report.text import count, dollars, wrap


def subject(made: Review) -> str:
    """Return one ASCII line under 100 characters."""
    return (
        f"Optimizer: review of {made.since:%Y-%m-%d} to {made.until:%Y-%m-%d}, {count(len(made.advice), 'suggestion')}"
    )


def body(made: Review, url: str = "", ends: datetime | None = None) -> str:
    """Return the text of the mail. `url` leads to the page, which can be read until `ends`."""
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
    if url and ends:
        parts += ["", f"Page with charts, until {ends:%Y-%m-%d %H:%M} UTC for everybody who has this link:", url]
    parts += ["", f"Suggestions: {len(made.advice)}", *(f"- {line}" for line in made.advice)]
    parts += ["", "Proposals by tuner:"]
    parts += [
        f"- {tuned.tuner.replace('_', ' ')}: {tuned.proposed} proposed, {tuned.refused} blocked, {tuned.made} applied, "
        f"{tuned.kept} kept, {tuned.taken_back} rolled back"
        for tuned in made.tuners
    ]
    parts += ["", "Blocked by rule:", *(f"- {rule}: {times}" for rule, times in made.rules)]
    return "\n".join(wrap(part) for part in parts) + "\n"


def _range(found: Interval) -> str:
    return f"{found.estimate:,.0f} ({found.low:,.0f} to {found.high:,.0f})"
