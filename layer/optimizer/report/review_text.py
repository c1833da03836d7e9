"""The review of a quarter in plain words, for mail."""

from datetime import datetime

from optimizer.core import Interval
from optimizer.report.review import Review
from optimizer.report.text import wrap


def subject(made: Review) -> str:
    """One ASCII line under 100 characters."""
    return f"Optimizer: review of {made.since:%Y-%m-%d} to {made.until:%Y-%m-%d}, {len(made.advice)} things to look at"


def body(made: Review, url: str = "", ends: datetime | None = None) -> str:
    """The whole message. `url`: of the page, which can be read until `ends`."""
    runs = ", ".join(f"{number} {status}" for status, number in sorted(made.runs.items())) or "none"
    parts = [f"What the optimizer did from {made.since:%Y-%m-%d} to {made.until:%Y-%m-%d}. Runs: {runs}."]
    if made.weeks:
        last = made.weeks[-1]
        parts.append(
            f"Now: {last.functions} functions, {last.calls_day:.0f} calls a day, {last.environments} environments if "
            f"all needed their most at once."
        )
    if made.calls_day_ahead and made.environments_ahead:
        parts.append(
            f"In a quarter, if it goes on like this: {_range(made.calls_day_ahead)} calls a day, "
            f"{_range(made.environments_ahead)} environments."
        )
    else:
        parts.append("Too few weeks are known to say what the next quarter will need.")
    if made.proved.measured:
        parts.append(
            f"Measured, of {made.proved.measured} changes: {made.proved.measured_usd_month:+.2f} USD a month; "
            f"claimed were {made.proved.claimed_usd_month:+.2f} USD."
        )
    if url and ends:
        parts += ["", f"With pictures, until {ends:%Y-%m-%d %H:%M} UTC for whoever has this link:", url]
    parts += ["", f"To look at: {len(made.advice)}", *(f"- {line}" for line in made.advice)]
    parts += ["", "What became of proposals:"]
    parts += [
        f"- {tuned.tuner.replace('_', ' ')}: {tuned.proposed} proposed, {tuned.refused} refused, {tuned.made} made, "
        f"{tuned.kept} kept, {tuned.taken_back} taken back"
        for tuned in made.tuners
    ]
    parts += ["", "Refused by rule:", *(f"- {rule}: {times}" for rule, times in made.rules)]
    return "\n".join(wrap(part) for part in parts) + "\n"


def _range(found: Interval) -> str:
    return f"{found.estimate:,.0f} ({found.low:,.0f} to {found.high:,.0f})"
