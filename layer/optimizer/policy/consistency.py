"""What is wrong with a policy although each of its fields is right alone."""

import itertools
import math
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from optimizer.core import join, short
from optimizer.policy.approval_consistency import of_approvals
from optimizer.policy.cache_consistency import of_caches
from optimizer.policy.errors import PolicyError
from optimizer.policy.model import Policy

_SHARES = (
    ("warmups.max_environments_per_function", "warmups.max_environments_total"),
    ("warmups.max_usd_day", "warmups.max_usd_month"),
    ("provisioned_concurrency.max_per_function", "provisioned_concurrency.max_total"),
    ("provisioned_concurrency.max_usd_day", "provisioned_concurrency.max_usd_month"),
    ("indexes.automatic_build_mb", "indexes.max_build_mb"),
)
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


def across(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    """The errors. A field that is absent has its default; one of the wrong type is the schema's to report."""
    yield from _finite(document, "")
    for path in ("time_zone", "functions.time_zone"):
        zone = _value(document, path)
        if isinstance(zone, str) and zone and not _is_zone(zone):
            yield PolicyError(path, f"{short(zone)} is no IANA time zone, such as Europe/Berlin or UTC.")
    # A ceiling of zero says that no memory change is allowed, whatever the floor is.
    if _value(document, "memory.ceiling_mb") != 0 or _is_given(document, "memory.floor_mb"):
        yield from _ordered(document, "memory.floor_mb", "memory.ceiling_mb")
    for low, high in _SHARES:
        # A default that is larger than a total somebody lowered is no contradiction: both limits hold.
        if _is_given(document, low) and _is_given(document, high):
            yield from _ordered(document, low, high)
    for path in ("memory.watch_minutes", "warmups.watch_minutes", "indexes.watch_minutes"):
        yield from _rising(document, path)
    yield from _freezes(document)
    yield from _holidays(document)
    yield from _databases(document)
    yield from of_caches(document)
    yield from of_approvals(document)


def _ordered(document: Mapping[str, Any], low: str, high: str) -> Iterator[PolicyError]:
    least, most = _value(document, low), _value(document, high)
    if _is_number(least) and _is_number(most) and least > most:
        yield PolicyError(low, f"{short(least)} is more than {high}, which is {short(most)}.")


def _rising(document: Mapping[str, Any], path: str) -> Iterator[PolicyError]:
    minutes = _value(document, path)
    if isinstance(minutes, (list, tuple)) and all(_is_number(minute) for minute in minutes):
        for n, (before, after) in enumerate(itertools.pairwise(minutes), start=1):
            if after <= before:
                yield PolicyError(f"{path}[{n}]", f"{short(after)} must be more than the {short(before)} before it.")


def _freezes(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    freezes = _value(document, "run.freezes")
    for n, freeze in enumerate(freezes if isinstance(freezes, (list, tuple)) else ()):
        if not isinstance(freeze, dict):
            continue
        days: dict[str, date] = {}
        for name in ("first", "last"):
            text = freeze.get(name)
            if isinstance(text, str) and len(text) == len("YYYY-MM-DD"):
                try:
                    days[name] = date.fromisoformat(text)
                except ValueError:
                    yield PolicyError(f"run.freezes[{n}].{name}", f"{short(text)} is no day of the calendar.")
        if len(days) == 2 and days["first"] > days["last"]:
            yield PolicyError(f"run.freezes[{n}].first", f"{days['first']} is after the last day, {days['last']}.")


def _holidays(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    holidays = _value(document, "warmups.holidays")
    for n, text in enumerate(holidays if isinstance(holidays, (list, tuple)) else ()):
        if isinstance(text, str) and len(text) == len("YYYY-MM-DD") and not _is_day(text):
            yield PolicyError(f"warmups.holidays[{n}]", f"{short(text)} is no day of the calendar.")


def _databases(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    databases = _value(document, "indexes.databases")
    names: set[str] = set()
    for n, database in enumerate(databases if isinstance(databases, (list, tuple)) else ()):
        if not isinstance(database, dict):
            continue
        path, name = f"indexes.databases[{n}]", database.get("name")
        if isinstance(name, str):
            if name in names:
                yield PolicyError(f"{path}.name", f"{short(name)} is the name of another database too.")
            names.add(name)
        secret, user = database.get("secret_arn", ""), database.get("user", "")
        if isinstance(secret, str) and isinstance(user, str) and bool(secret) == bool(user):
            yield PolicyError(path, "needs either secret_arn, or user for IAM authentication, and not both.")
        if database.get("rds_instance") and database.get("rds_cluster"):
            yield PolicyError(path, "may name rds_instance or rds_cluster, and not both.")
        if database.get("data_api_arn"):
            yield from _through_data_api(path, database)
        hosts = [database.get("host"), database.get("read_host") or "localhost", *_listed(database.get("readers"))]
        local = all(isinstance(host, str) and _host(host) in _THIS_MACHINE for host in hosts)
        if database.get("tls") == "off" and not local:
            yield PolicyError(f"{path}.tls", "may be off only where all hosts are this machine, such as 127.0.0.1.")


def _through_data_api(path: str, database: Mapping[str, Any]) -> Iterator[PolicyError]:
    if database.get("engine") != "postgresql":
        yield PolicyError(f"{path}.data_api_arn", "is for the engine postgresql alone.")
    if not database.get("secret_arn"):
        yield PolicyError(f"{path}.data_api_arn", "needs secret_arn: the Data API logs in with a secret.")
    for name in ("read_host", "readers"):
        if database.get(name):
            yield PolicyError(
                f"{path}.{name}", "cannot be given with data_api_arn: the Data API asks the writer alone."
            )


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _host(text: str) -> str:
    """Without the port; an IPv6 address has more than one colon."""
    return text.partition(":")[0] if text.count(":") == 1 else text


def _finite(value: Any, path: str) -> Iterator[PolicyError]:
    if isinstance(value, float) and not math.isfinite(value):
        yield PolicyError(path, "must be a finite number.")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _finite(item, join(path, key))
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from _finite(item, f"{path}[{n}]")


def _value(document: Mapping[str, Any], path: str) -> Any:
    """The value at the path, or its default; None where something on the way is of the wrong type."""
    value: Any = document
    default: Any = Policy()
    for name in path.split("."):
        default = getattr(default, name)
        if isinstance(value, dict):
            value = value.get(name, default)
        elif not hasattr(value, "__dataclass_fields__"):
            return None
        else:
            value = default
    return value


def _is_given(document: Mapping[str, Any], path: str) -> bool:
    value: Any = document
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        return False
    return True


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
