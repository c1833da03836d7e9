"""A change in one phrase, the same in mail, page, terminal and JSON. Pure.

The rooms of the tuners are loaded for their changes only.
"""

from collections.abc import Mapping
from typing import Any

from optimizer.core import Change, Tuner, figure


def change_phrase(change: Change) -> str:
    """Return a change as a phrase, such as `memory 512 -> 768 MB`: the numbers that its guardrails read."""
    before, after = change.before, change.after
    match change.tuner:
        case Tuner.MEMORY:
            return f"memory {_value(before.get('memory_mb'))} -> {_value(after.get('memory_mb'))} MB"
        case Tuner.WARMUPS:
            if not after.get("pings"):
                return "warm-ups removed"
            most = after.get("most_environments")
            environments = "one environment" if most == 1 else f"at most {_value(most)} environments"
            return f"{_pings(after)} of {environments}"
        case Tuner.PROVISIONED_CONCURRENCY:
            if before.get("timetable") or after.get("timetable"):
                return f"provisioned concurrency, {_held(before)} -> {_held(after)}"
            held = f"{_value(before.get('environments'))} -> {_value(after.get('environments'))}"
            return f"provisioned concurrency {held} environments"
        case Tuner.CACHE_TTLS:
            then, now = before.get("ttl_s") or {}, after.get("ttl_s") or {}
            moved = [f"{n} {_value(then.get(n))} -> {_value(now[n])} s" for n in sorted(now) if then.get(n) != now[n]]
            return f"TTLs {', '.join(moved)}"
        case Tuner.INDEXES:
            from optimizer.indexes import phrase

            return phrase(change.action, before, after)


def _pings(after: Mapping[str, Any]) -> str:
    """Return the number of pings, such as `82 warm-up pings`; a ping of several environments counts once."""
    if after.get("schedule"):
        from optimizer.warmups import count_pings

        pings = count_pings(after["schedule"])
    else:
        pings = after["pings"]
    return f"{_value(pings)} warm-up {'ping' if pings == 1 else 'pings'}"


def _held(part: Mapping[str, Any]) -> str:
    """Return the environments: `3 provisioned from 08:00 to 18:00 on weekdays, Europe/Berlin`, or their number."""
    if part.get("timetable"):
        from optimizer.capacity.provisioned import Timetable

        return Timetable.from_document(part["timetable"]).words()
    return f"{_value(part.get('environments'))} environments at all times"


def _value(value: object) -> str:
    if value is None:
        return "none"
    return figure(value, 4) if isinstance(value, float) else str(value)
