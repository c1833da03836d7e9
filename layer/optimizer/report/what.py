"""A change in one phrase, the same in mail, page, terminal and JSON. Pure."""

from optimizer.changes import Change, Tuner
from optimizer.figures import figure
from optimizer.indexes.words import phrase


def what(change: Change) -> str:
    """`memory 512 -> 768 MB`: the numbers that its guardrails read."""
    before, after = change.before, change.after
    match change.tuner:
        case Tuner.MEMORY:
            return f"memory {_value(before.get('memory_mb'))} -> {_value(after.get('memory_mb'))} MB"
        case Tuner.WARMUPS:
            if not after.get("pings"):
                return "warm-ups taken away"
            return f"{_value(after['pings'])} warm-up pings, at most {_value(after.get('most_environments'))} at once"
        case Tuner.PROVISIONED_CONCURRENCY:
            held = f"{_value(before.get('environments'))} -> {_value(after.get('environments'))}"
            return f"provisioned concurrency {held} environments"
        case Tuner.CACHE_TTLS:
            then, now = before.get("ttl_s") or {}, after.get("ttl_s") or {}
            moved = [f"{n} {_value(then.get(n))} -> {_value(now[n])} s" for n in sorted(now) if then.get(n) != now[n]]
            return f"TTLs {', '.join(moved)}"
        case Tuner.INDEXES:
            return phrase(change.action, before, after)


def _value(value: object) -> str:
    if value is None:
        return "none"
    return figure(value, 4) if isinstance(value, float) else str(value)
