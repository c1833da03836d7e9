"""Errors of a policy whose fields are valid alone and contradict each other, or need more than the schema can tell."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, TypeGuard
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from optimizer import core
from optimizer.core import child_path, short_json
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
_PLAIN_PATH = re.compile(r"(?:/[0-9]{0,5})?")


def consistency_errors(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    """Yield the errors. An absent field has its default; the schema reports fields of the wrong type."""
    yield from _finite(document, "")
    for path in ("time_zone", "functions.time_zone"):
        zone = _value(document, path)
        if isinstance(zone, str) and zone and not _is_zone(zone):
            yield PolicyError(path, f"{short_json(zone)} is not an IANA time zone such as Europe/Berlin or UTC.")
    yield from limit_errors(document)
    yield from _freezes(document)
    yield from _days_of_calendar(document, "warmups.holidays")
    yield from _calendars(document)
    yield from _events(document)
    yield from _warm_hours(document)
    yield from _databases(document)
    yield from _caches(document)
    yield from _approvals(document)


def limit_errors(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    """Yield the errors of limits that contradict each other."""
    # A ceiling of zero allows no memory change, whatever the floor is.
    if _value(document, "memory.ceiling_mb") != 0 or _is_given(document, "memory.floor_mb"):
        yield from _ordered(document, "memory.floor_mb", "memory.ceiling_mb")
    for low, high in _SHARES:
        # A default above a lowered total is no contradiction: both limits hold.
        if _is_given(document, low) and _is_given(document, high):
            yield from _ordered(document, low, high)
    for path in ("memory.watch_minutes", "warmups.watch_minutes", "indexes.watch_minutes"):
        yield from _rising(document, path)
    if _value(document, "warmups.idle_minutes_per_cold_start") is not None and _is_given(
        document, "warmups.usd_per_cold_start"
    ):
        yield PolicyError(
            "warmups.idle_minutes_per_cold_start", "says the same as warmups.usd_per_cold_start; keep one of the two."
        )


def _ordered(document: Mapping[str, Any], low: str, high: str) -> Iterator[PolicyError]:
    least, most = _value(document, low), _value(document, high)
    if _is_number(least) and _is_number(most) and least > most:
        yield PolicyError(low, f"{short_json(least)} is above {high}, which is {short_json(most)}.")


def _rising(document: Mapping[str, Any], path: str) -> Iterator[PolicyError]:
    minutes = _value(document, path)
    if isinstance(minutes, (list, tuple)) and all(_is_number(minute) for minute in minutes):
        for n, (before, after) in enumerate(itertools.pairwise(minutes), start=1):
            if after <= before:
                yield PolicyError(
                    f"{path}[{n}]", f"{short_json(after)} must be above the {short_json(before)} before it."
                )


def _freezes(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    for path, freeze in objects_at(document, "run.freezes"):
        days: dict[str, date] = {}
        for name in ("first", "last"):
            text = freeze.get(name)
            if not isinstance(text, str) or len(text) != len("YYYY-MM-DD"):
                continue
            if _is_day(text):
                days[name] = date.fromisoformat(text)
            else:
                yield PolicyError(f"{path}.{name}", f"{short_json(text)} is not a day of the calendar.")
        if len(days) == 2 and days["first"] > days["last"]:
            yield PolicyError(f"{path}.first", f"{days['first']} is after the last day, {days['last']}.")


def _days_of_calendar(document: Mapping[str, Any], path: str) -> Iterator[PolicyError]:
    yield from _not_days(path, _value(document, path))


def _not_days(path: str, days: Any, *, listed: bool = True) -> Iterator[PolicyError]:
    for n, text in enumerate(items_of(days)):
        if isinstance(text, str) and len(text) == len("YYYY-MM-DD") and not _is_day(text):
            yield PolicyError(f"{path}[{n}]" if listed else path, f"{short_json(text)} is not a day of the calendar.")


def _calendars(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    calendars = document.get("calendars")
    calendars = calendars if isinstance(calendars, dict) else {}
    for name, calendar in calendars.items():
        if isinstance(calendar, dict):
            yield from _calendar(child_path("calendars", name), calendar)
    known = ", ".join(sorted(calendars)) or "none is"
    chosen = [("functions", _value(document, "functions"))] if isinstance(document.get("functions"), dict) else []
    for path, part in (*chosen, *objects_at(document, "overrides")):
        name = part.get("calendar")
        if isinstance(name, str) and name and name not in calendars:
            yield PolicyError(f"{path}.calendar", f"{short_json(name)} is not in calendars; known: {known}.")


def _events(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    zone = _value(document, "time_zone")
    for path, event in objects_at(document, "warmups.events"):
        moments: list[datetime] = []
        for key in ("from", "until"):
            text = event.get(key)
            if isinstance(text, str):
                moment = _moment(text, zone if isinstance(zone, str) and _is_zone(zone) else "UTC")
                if isinstance(moment, datetime):
                    moments.append(moment)
                elif moment:
                    yield PolicyError(f"{path}.{key}", moment)
        if len(moments) == 2 and moments[0] >= moments[1]:
            yield PolicyError(f"{path}.until", "must be after from.")
    for name in ("events", "always"):
        for path, part in objects_at(document, f"warmups.{name}"):
            yield from _within_limit(document, path, part)


def _within_limit(document: Mapping[str, Any], path: str, part: Mapping[str, Any]) -> Iterator[PolicyError]:
    for limit in ("warmups.max_environments_per_function", "warmups.max_environments_total"):
        wanted, most = part.get("environments"), _value(document, limit)
        if _is_number(wanted) and _is_number(most) and wanted > most:
            yield PolicyError(f"{path}.environments", f"{short_json(wanted)} is above {limit}, which is {most}.")


def _moment(text: str, zone: str) -> datetime | str:
    """Return the moment, with a zone, or the reason why the text is none; empty where the schema says it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return f"{short_json(text)} is not a day of the calendar." if len(text) >= len("YYYY-MM-DDTHH:MM") else ""
    if moment.tzinfo:
        return moment
    local = moment.replace(tzinfo=ZoneInfo(zone))
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        return f"{short_json(text)} comes twice or not at all in {zone}, because clocks change; add an offset."
    return local


def _warm_hours(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    for path, day in objects_at(document, "warmups.days"):
        yield from _not_days(f"{path}.on", [day.get("on")], listed=False)
        if day.get("like") is None and day.get("level", 1) == 1:
            yield PolicyError(path, "needs like or level.")


def _calendar(path: str, calendar: Mapping[str, Any]) -> Iterator[PolicyError]:
    for field in ("days", "half_days", "working_days"):
        yield from _not_days(f"{path}.{field}", calendar.get(field))
    country, region = calendar.get("country"), calendar.get("region")
    if region and not country:
        yield PolicyError(f"{path}.region", "needs country.")
    if isinstance(country, str) and isinstance(region, str | None):
        from optimizer.policy.country_days import unknown_place

        unknown = unknown_place(country, region)
        if unknown:
            yield PolicyError(f"{path}.{unknown[0]}", unknown[1])


def _databases(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    names: set[str] = set()
    for path, database in objects_at(document, "indexes.databases"):
        yield from _same_name(path, database, "database", names)
        secret, user = database.get("secret_arn", ""), database.get("user", "")
        if isinstance(secret, str) and isinstance(user, str) and bool(secret) == bool(user):
            yield PolicyError(path, "needs either secret_arn, or user for IAM authentication, but not both.")
        if database.get("rds_instance") and database.get("rds_cluster"):
            yield PolicyError(path, "may name rds_instance or rds_cluster, but not both.")
        if database.get("data_api_arn"):
            yield from _through_data_api(path, database)
        hosts = [database.get("host"), database.get("read_host") or "localhost", *items_of(database.get("readers"))]
        local = all(isinstance(host, str) and _host(host) in _THIS_MACHINE for host in hosts)
        if database.get("tls") == "off" and not local:
            yield PolicyError(f"{path}.tls", "may be off only if all hosts are this machine, such as 127.0.0.1.")


def _through_data_api(path: str, database: Mapping[str, Any]) -> Iterator[PolicyError]:
    if database.get("engine") != "postgresql":
        yield PolicyError(f"{path}.data_api_arn", "is for the engine postgresql only.")
    if not database.get("secret_arn"):
        yield PolicyError(f"{path}.data_api_arn", "needs secret_arn: the Data API logs in with a secret.")
    for name in ("read_host", "readers"):
        if database.get(name):
            yield PolicyError(
                f"{path}.{name}", "cannot be given with data_api_arn: the Data API connects to the writer only."
            )


def _same_name(path: str, part: Mapping[str, Any], kind: str, names: set[str]) -> Iterator[PolicyError]:
    """Yield an error if another part has this name; `names` collects them."""
    name = part.get("name")
    if isinstance(name, str):
        if name in names:
            yield PolicyError(f"{path}.name", f"{short_json(name)} is the name of another {kind} too.")
        names.add(name)


def _host(text: str) -> str:
    """Return the host without its port. An IPv6 address has more than one colon."""
    return text.partition(":")[0] if text.count(":") == 1 else text


def _caches(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    names: set[str] = set()
    published: set[str] = set()
    logged: dict[tuple[str, str], str] = {}
    for path, cache in objects_at(document, "cache_ttls.caches"):
        yield from _same_name(path, cache, "cache", names)
        yield from _delivery(cache, path, published)
        yield from _endpoint(cache, path)
        yield from _namespaces(cache, path, logged)


def _delivery(cache: Mapping[str, Any], path: str, published: set[str]) -> Iterator[PolicyError]:
    parameter, app_config = cache.get("parameter", ""), cache.get("app_config")
    if isinstance(parameter, str) and bool(parameter) == isinstance(app_config, dict):
        yield PolicyError(path, "needs either parameter (SSM) or app_config, but not both.")
    place = str(app_config if isinstance(app_config, dict) else parameter)
    if parameter or app_config:
        if place in published:
            yield PolicyError(path, "publishes its TTLs at the place of another cache; each needs its own.")
        published.add(place)


def _endpoint(cache: Mapping[str, Any], path: str) -> Iterator[PolicyError]:
    endpoint = cache.get("endpoint", "")
    if not isinstance(endpoint, str) or not endpoint:
        return
    try:
        parts = urlsplit(endpoint)
        host, has_password, _ = parts.hostname, parts.password is not None, parts.port
    except ValueError:
        host, has_password, parts = None, False, urlsplit("")
    if parts.scheme not in ("redis", "rediss") or not host:
        # The text before an @ may be a password, and errors are sent to people and stored.
        shown = short_json(endpoint.rpartition("@")[2])
        yield PolicyError(f"{path}.endpoint", f"must be a URL such as rediss://HOST:6379, not {shown}.")
    elif has_password:
        yield PolicyError(f"{path}.endpoint", "contains a password, which must not be stored in a policy.")
    elif parts.query or parts.fragment or parts.username is not None or not _PLAIN_PATH.fullmatch(parts.path):
        # The driver would take each of them for a setting, among them the password and the check of certificates.
        yield PolicyError(
            f"{path}.endpoint", "is a URL with a host, a port and at most a database: rediss://HOST:6379/0."
        )
    elif parts.scheme == "redis" and host not in _THIS_MACHINE:
        yield PolicyError(f"{path}.endpoint", "must be rediss:// (TLS), unless the server is on this machine.")


def _namespaces(cache: Mapping[str, Any], path: str, logged: dict[tuple[str, str], str]) -> Iterator[PolicyError]:
    spaces, groups = cache.get("namespaces"), cache.get("log_groups")
    texts = [group for group in groups if isinstance(group, str)] if isinstance(groups, list) else []
    for n, space in enumerate(spaces if isinstance(spaces, list) else ()):
        if not isinstance(space, dict):
            continue
        at, name = f"{path}.namespaces[{n}]", space.get("name")
        least = space.get("min_ttl_s")
        for field in ("max_ttl_s", "max_age_s"):
            most = space.get(field)
            if _is_number(least) and _is_number(most) and least > most:
                yield PolicyError(
                    f"{at}.min_ttl_s", f"{short_json(least)} is above {field}, which is {short_json(most)}."
                )
        if isinstance(name, str):
            # The client's records name the namespace, but not the cache.
            other = next((logged[group, name] for group in dict.fromkeys(texts) if (group, name) in logged), None)
            if other is not None:
                yield PolicyError(f"{at}.name", f"{short_json(name)} is logged to the same group by {other}.")
            logged.update({(group, name): at for group in texts})


def _approvals(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    approvals = document.get("approvals")
    if not isinstance(approvals, dict):
        return
    approvers, needed = approvals.get("approvers", []), approvals.get("needed", 1)
    if not isinstance(approvers, list):
        return
    seen: set[str] = set()
    for n, approver in enumerate(approvers):
        name = approver.get("name") if isinstance(approver, dict) else None
        if not isinstance(name, str):
            continue
        # A link for that name is sent to everybody, so that one person could respond twice.
        if name.casefold() == core.ANYONE:
            yield PolicyError(
                f"approvals.approvers[{n}].name",
                f"{short_json(name)} stands for everybody who gets the topic's messages. Choose the name of a person.",
            )
        # Names that differ in case only would be two people with two topics, but one person for a reader.
        if name.casefold() in seen:
            yield PolicyError(f"approvals.approvers[{n}].name", f"{short_json(name)} is listed twice.")
        seen.add(name.casefold())
    # Without approvers everybody gets the same link, and two responses could come from one person.
    most = len(approvers) or 1
    if isinstance(needed, (int, float)) and not isinstance(needed, bool) and needed > most:
        limit = f"the {len(approvers)} listed approvers" if approvers else "1, because no approvers are listed"
        yield PolicyError("approvals.needed", f"{short_json(needed)} is above {limit}.")


def _finite(value: Any, path: str) -> Iterator[PolicyError]:
    if isinstance(value, float) and not math.isfinite(value):
        yield PolicyError(path, "must be a finite number.")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _finite(item, child_path(path, key))
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from _finite(item, f"{path}[{n}]")


def _value(document: Mapping[str, Any], path: str) -> Any:
    """Return the value at the path, or its default; None if a part of the path has the wrong type."""
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


def objects_at(document: Mapping[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and the value of each object in the list at the path."""
    for n, part in enumerate(items_of(_value(document, path))):
        if isinstance(part, dict):
            yield f"{path}[{n}]", part


def items_of(value: Any) -> list[Any]:
    """Return the items of a list; none of another value."""
    return list(value) if isinstance(value, (list, tuple)) else []


def _is_given(document: Mapping[str, Any], path: str) -> bool:
    value: Any = document
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True


def _is_number(value: Any) -> TypeGuard[float]:
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
