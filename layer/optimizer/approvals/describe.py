"""What approvers read about a change, the same in mail, page and terminal. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from optimizer.capacity.provisioned import Timetable
from optimizer.core import Approval, Interval, StoredChange, data_size, figure
from optimizer.report import Line, line, reason, sentence, usd

_RISKS = {
    "low": "low: little harm if the decision is wrong",
    "medium": "medium: callers would notice if the decision is wrong",
    "high": "high: real harm if the decision is wrong",
}
# Words for the keys of what is changed; any other key is shown as it is, its unit with it.
_LABELS = {
    "memory_mb": "memory, MB",
    "environments": "provisioned environments",
    "min": "least provisioned environments",
    "max": "most provisioned environments",
    "timetable": "provisioned by the hour",
    "floor": "provisioned environments that stay at all hours",
    "plan": "change whose timetable is in place",
    "pings": "environments pinged, all pings together",
    "most_environments": "environments warmed at once",
    "usd_day": "price, USD a day",
    "hold_ms": "each ping held, ms",
    "schedule": "pings, each row its first minute, minutes between, how many, environments",
    "ttl_s": "TTL, s",
    "size_bytes": "size",
}
_LONGEST_VALUE = 300


def shown(changes: Iterable[StoredChange]) -> list[Line]:
    """The changes as they are shown, in the order of their targets."""
    return sorted((line(change) for change in changes), key=lambda one: (one.target, one.change_id))


def title(change: Line) -> str:
    """`orders: memory 512 -> 768 MB`."""
    return f"{change.target}: {change.what}"


def why(change: Line) -> str:
    """The reason as a sentence."""
    return sentence(reason(change))


def price(change: Line) -> str:
    """What it does to the bill."""
    return f"{usd(change.usd_month)} a month" if change.usd_month else "not known"


def effects(change: Line) -> list[tuple[str, str]]:
    """What else it is expected to do, by name."""
    found: list[tuple[str, str]] = []
    if change.latency_ms:
        found.append(("Change of the mean duration", _amount(change.latency_ms, "ms")))
    if change.cold_starts_month:
        found.append(("Change of cold starts a month", _amount(change.cold_starts_month, "")))
    return found


def risk(change: Line) -> str:
    """How bad it would be if the decision were wrong."""
    return _RISKS.get(change.risk, change.risk)


def total(changes: Iterable[Line]) -> str:
    """What all of them do to the bill together."""
    known = [change.usd_month for change in changes if change.usd_month]
    if not known:
        return "not known"
    together = Interval(sum(i.estimate for i in known), sum(i.low for i in known), sum(i.high for i in known))
    return f"{usd(together)} a month"


def before_and_after(change: Line) -> list[tuple[str, str, str]]:
    """What is there before and after, and differs: name, value now, value afterwards."""
    before, after = change.before, change.after
    names = [name for name in after if name in before and before[name] != after[name]]
    return [(_label(name), _named(name, before[name]), _named(name, after[name])) for name in names]


def put_in_place(change: Line) -> list[tuple[str, str]]:
    """What is there only after it, by name. Long lists are counted, not listed."""
    return [(_label(name), _named(name, found)) for name, found in change.after.items() if name not in change.before]


def undo(record: Mapping[str, Any]) -> str:
    """How it is taken back."""
    rest = {name: found for name, found in record.items() if name != "action"}
    said = "; ".join(f"{_label(name)}: {_named(name, found)}" for name, found in rest.items())
    if "action" in record:
        return f"{str(record['action']).replace('_', ' ')}{f' ({said})' if said else ''}"
    return f"back to {said}" if said else "not at all"


def table_of(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Numbers behind a change, by name; what is not known is left out."""
    for name in sorted(facts):
        if facts[name] is not None:
            yield name, _named(name, facts[name])


def value(found: object) -> str:
    """A value in a cell."""
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
            text = Timetable.from_document({"timezone": timezone, "entries": entries}).words()
        case dict():
            text = ", ".join(f"{name} {value(item)}" for name, item in found.items()) or "none"
        case _:
            text = str(found)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def deadline(asked: Approval) -> str:
    """`Sun 22 Nov 2026, 10:00 Europe/Berlin (09:00 UTC)`."""
    return moment(asked.expires_at, asked.time_zone)


def moment(at: datetime, time_zone: str) -> str:
    """A time in the team's own zone, and in UTC where that is another."""
    utc, local = at.astimezone(ZoneInfo("UTC")), at.astimezone(ZoneInfo(time_zone))
    if local.utcoffset() == utc.utcoffset():
        return f"{utc:%a} {utc.day} {utc:%b %Y, %H:%M} UTC"
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {time_zone} ({utc:%a %H:%M} UTC)"


def agreement(asked: Approval) -> str:
    """Who has to agree; empty where one answer is enough."""
    if asked.needed == 1:
        return ""
    return f"{asked.needed} of {len(asked.approvers)} approvers must approve a change; one of them rejects it alone."


def count(number: int, word: str) -> str:
    """`1 change`, `2 changes`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def _label(name: str) -> str:
    return _LABELS.get(name, name)


def _named(name: str, found: object) -> str:
    """A value whose name tells that it is an amount of data, as such."""
    if name.endswith("_bytes") and isinstance(found, (int, float)):
        return data_size(found)
    return value(found)


def _amount(found: Interval, unit: str) -> str:
    def one(number: float) -> str:
        return f"{number:+,.0f}" if abs(number) >= 100 else f"{number:+.2g}"

    text = f"{one(found.estimate)} {unit}".rstrip()
    return text if found.low == found.high else f"{text} ({one(found.low)} to {one(found.high)})"
