"""A change in words for approvers, the same in mail, page and terminal. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from optimizer.core import ANYONE, Approval, Interval, StoredChange, Vote, data_size, figure, harmless, quote_words
from optimizer.report import Line, line, reason, saves_or_costs, sentence

_RISKS = {
    "low": "low: little harm if the change is wrong",
    "medium": "medium: callers notice if the change is wrong",
    "high": "high: real harm if the change is wrong",
}
# Words for the keys of a change; any other key is shown as it is, with its unit.
_LABELS = {
    "memory_mb": "memory, MB",
    "environments": "provisioned environments",
    "min": "minimum of provisioned environments",
    "max": "maximum of provisioned environments",
    "timetable": "provisioned by the hour",
    "floor": "provisioned environments that stay at all hours",
    "plan": "change that set the timetable",
    "pings": "environments pinged, all pings together",
    "most_environments": "environments warmed at once",
    "usd_day": "cost, USD a day",
    "hold_ms": "each ping held, ms",
    "schedule": "pings by row: first minute, minutes between, number, environments",
    "ttl_s": "TTL, s",
    "size_bytes": "size",
}
_LONGEST_VALUE = 300
_NO_ESTIMATE = "no estimate"


def shown(changes: Iterable[StoredChange]) -> list[Line]:
    """Return the changes as they are shown, in the order of their resources."""
    return sorted((line(change) for change in changes), key=lambda shown: (shown.target, shown.change_id))


def title(change: Line) -> str:
    """Return resource and change: `orders: memory 512 -> 768 MB`."""
    return f"{change.target}: {change.what}"


def why(change: Line) -> str:
    """Return the reason as a sentence."""
    return sentence(reason(change))


def price(change: Line) -> str:
    """Return the estimated savings or cost: `saves $3.20 ($2.30 to $4.10) a month`."""
    return f"{saves_or_costs(change.usd_month)} a month" if change.usd_month else _NO_ESTIMATE


def effects(change: Line) -> list[tuple[str, str]]:
    """Return the other estimated effects as pairs of name and amount."""
    found: list[tuple[str, str]] = []
    if change.latency_ms:
        found.append(("Change of the mean duration", _amount(change.latency_ms, "ms")))
    if change.cold_starts_month:
        found.append(("Change of cold starts a month", _amount(change.cold_starts_month, "")))
    return found


def risk(change: Line) -> str:
    """Return the risk level and what it means."""
    return _RISKS.get(change.risk, change.risk)


def total(changes: Iterable[Line]) -> str:
    """Return the estimated savings or cost of all changes together."""
    known = [change.usd_month for change in changes if change.usd_month]
    if not known:
        return _NO_ESTIMATE
    together = Interval(sum(i.estimate for i in known), sum(i.low for i in known), sum(i.high for i in known))
    return f"{saves_or_costs(together)} a month"


def prices(changes: Iterable[Line]) -> str:
    """Return Region, date and source of the prices behind the amounts; empty where evidence names none."""
    return "; ".join(sorted({change.prices for change in changes if change.prices}))


def before_and_after(change: Line) -> list[tuple[str, str, str]]:
    """Return rows of name, value now and value afterwards for everything that differs."""
    before, after = change.before, change.after
    names = [name for name in after if name in before and before[name] != after[name]]
    return [(_label(name), _named(name, before[name]), _named(name, after[name])) for name in names]


def new_values(change: Line) -> list[tuple[str, str]]:
    """Return pairs of name and value for everything that exists only after the change."""
    return [(_label(name), _named(name, found)) for name, found in change.after.items() if name not in change.before]


def roll_back(record: Mapping[str, Any]) -> str:
    """Return how the change is rolled back, from the record that it keeps for that."""
    rest = {name: found for name, found in record.items() if name != "action"}
    values = "; ".join(f"{_label(name)}: {_named(name, found)}" for name, found in rest.items())
    if "action" in record:
        return f"{str(record['action']).replace('_', ' ')}{f' ({values})' if values else ''}"
    return f"restores {values}" if values else "not possible"


def table_of(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the evidence of a change as pairs of name and value, without values that are not known."""
    for name in sorted(facts):
        if facts[name] is not None:
            yield harmless(name), _named(name, facts[name])


def value(found: object) -> str:
    """Return a value as text for a cell; long lists are counted, not listed."""
    match found:
        case None:
            return "none"
        case bool():
            return "yes" if found else "no"
        case float():
            return figure(found, 4)
        case list() | tuple() if len(found) > 5 or any(isinstance(item, (list, dict)) for item in found):
            return f"{len(found)} entries"
        case list() | tuple():
            return ", ".join(value(item) for item in found) or "none"
        case {"timezone": str(timezone), "entries": [*entries]}:
            from optimizer.capacity.provisioned import Timetable

            text = Timetable.from_document({"timezone": timezone, "entries": entries}).words()
        case dict():
            text = ", ".join(f"{name} {value(item)}" for name, item in found.items()) or "none"
        case _:
            text = str(found)
    text = harmless(text)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def deadline(approval: Approval) -> str:
    """Return the end of an approval request: `Sun 22 Nov 2026, 10:00 Europe/Berlin (Sun 09:00 UTC)`."""
    return moment(approval.expires_at, approval.time_zone)


def moment(at: datetime, time_zone: str) -> str:
    """Return a time in the policy's time zone, and in UTC if that differs."""
    utc, local = at.astimezone(ZoneInfo("UTC")), at.astimezone(ZoneInfo(time_zone))
    if local.utcoffset() == utc.utcoffset():
        return f"{utc:%a} {utc.day} {utc:%b %Y, %H:%M} UTC"
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {time_zone} ({utc:%a %H:%M} UTC)"


def agreement(approval: Approval) -> str:
    """Return how many approvers must approve; empty if one response is enough."""
    if approval.needed == 1:
        return ""
    return f"{approval.needed} of {len(approval.approvers)} approvers must approve a change; one rejection rejects it."


def responses(approval: Approval) -> list[str]:
    """Return a sentence about each response."""
    return [response(approval, vote) for vote in approval.votes]


def response(approval: Approval, vote: Vote) -> str:
    """Return a sentence about one response: who gave it, when, what it is, and why."""
    by = harmless(quote_words(vote.by))
    who = by if vote.approver == ANYONE else f"{by} (as {vote.approver})"
    reason = harmless(vote.reason.replace('"', "'"))
    why = f' with the reason "{reason}"' if reason else ""
    said = verdict(vote.approved, len(approval.changes))
    return f"{who} responded on {moment(vote.at, approval.time_zone)}: {said}{why}."


def verdict(approved: Sequence[str], number: int) -> str:
    """Return what a response says of `number` changes."""
    if len(approved) == number:
        return "approved all" if number > 1 else "approved"
    return f"approved {len(approved)} of {number}" if approved else "rejected all" if number > 1 else "rejected"


def _label(name: str) -> str:
    return _LABELS.get(name) or harmless(name)


def _named(name: str, found: object) -> str:
    """Return a value as text, as an amount of data if its name ends with _bytes."""
    if name.endswith("_bytes") and isinstance(found, (int, float)):
        return data_size(found)
    return value(found)


def _amount(found: Interval, unit: str) -> str:
    def signed(number: float) -> str:
        return f"{number:+,.0f}" if abs(number) >= 100 else f"{number:+.2g}"

    text = f"{signed(found.estimate)} {unit}".rstrip()
    return text if found.low == found.high else f"{text} ({signed(found.low)} to {signed(found.high)})"
