"""The document of one function, database or cache in a run, from which its page is made. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from optimizer.core import StoredChange, Tuner
from optimizer.prices import aws_lambda, prices_used
from optimizer.report.advice_lines import AdviceLine
from optimizer.report.evidence_rates import EvidenceRates, evidence_rates
from optimizer.report.lines import Line, line

type Json = Mapping[str, Any]

_KINDS = {Tuner.INDEXES: "database", Tuner.CACHE_TTLS: "cache"}
_MILLION = 1_000_000


def kind_of(tuner: str) -> str:
    """Return the kind of resource that a tuner changes: `function`, `database` or `cache`."""
    return _KINDS.get(Tuner(tuner), "function")


def kind_of_target(target: str) -> str:
    """Return the kind of resource of a target without a tuner: `function`, `database` or `cache`."""
    if ":function:" in target:
        return "function"
    return "cache" if target.startswith("cache/") else "database"


def name_of(target: str) -> str:
    """Return the name of the function, database or cache in an ARN, `NAME/SCHEMA.TABLE.INDEX` or `cache/NAME`."""
    if ":function:" in target:
        return target.rsplit(":function:", 1)[-1]
    return target.split("/")[1] if target.startswith("cache/") else target.partition("/")[0]


def page_name(kind: str, name: str) -> str:
    """Return the path of a resource's page below the run's report, without its ending."""
    return f"{kind}s/{name}"


def function_document(
    run_id: str,
    name: str,
    traffic: Json | None,
    picture: Json | None,
    changes: Sequence[StoredChange],
    no_changes: Sequence[Json],
    failed: Sequence[str],
    advice: Sequence[AdviceLine] = (),
) -> dict[str, Any]:
    """Return the document of a function. All but the picture are those of this function; `failed` has reasons."""
    decided = {change.change.tuner: change for change in changes}
    alone = {Tuner(item["tuner"]): item for item in no_changes}
    return {
        **_common(run_id, "function", name, changes, no_changes, failed),
        "traffic": traffic,
        "picture": picture,
        "advice": list(advice),
        "memory": _memory(decided.get(Tuner.MEMORY), alone.get(Tuner.MEMORY)),
        "provisioned": _provisioned(
            decided.get(Tuner.PROVISIONED_CONCURRENCY), alone.get(Tuner.PROVISIONED_CONCURRENCY)
        ),
    }


def database_document(
    run_id: str, name: str, changes: Sequence[StoredChange], no_changes: Sequence[Json], failed: Sequence[str]
) -> dict[str, Any]:
    """Return the document of a database, with the sizes of its changed indexes before and after.

    The size afterwards is the server's if the change was applied, else the expected one.
    """
    # Not loaded in runs without databases.
    from optimizer.indexes.change import IndexProgress

    sizes = []
    for stored in changes:
        change = stored.change
        before, after = change.before.get("size_bytes"), change.after.get("size_bytes")
        done = IndexProgress.from_document(stored.progress).sizes_bytes
        if before is not None and change.before.get("index") and change.action != "create_index":
            gone = change.action.startswith("drop")
            after = done[1] if done else after
            sizes.append(
                {"name": change.before["index"], "before_mb": _mb(before), "after_mb": 0.0 if gone else _mb(after)}
            )
    return {**_common(run_id, "database", name, changes, no_changes, failed), "sizes": sizes}


def cache_document(
    run_id: str, name: str, changes: Sequence[StoredChange], no_changes: Sequence[Json], failed: Sequence[str]
) -> dict[str, Any]:
    """Return the document of a cache, with the hit ratio by TTL of each namespace whose evidence has it."""
    curves = []
    for change in (stored.change for stored in changes):
        for namespace, evidence in change.evidence.get("namespaces", {}).items():
            ttl_s = (change.before["ttl_s"].get(namespace), change.after["ttl_s"].get(namespace))
            curves += _curve(namespace, evidence, *ttl_s)
    for item in no_changes:
        curves += _curve(item["target"].rpartition("/")[2], item.get("evidence") or {}, None, None)
    return {**_common(run_id, "cache", name, changes, no_changes, failed), "curves": curves}


def _curve(
    namespace: str, evidence: Json, ttl_s_before: float | None, ttl_s_after: float | None
) -> list[dict[str, Any]]:
    if not evidence.get("curve"):
        return []
    return [
        {
            "namespace": namespace,
            "curve": [[float(point[0]), round(float(point[1]), 4)] for point in evidence["curve"]],
            "knee_ttl_s": evidence.get("knee_s"),
            "ttl_s_before": ttl_s_before,
            "ttl_s_after": ttl_s_after,
        }
    ]


def _common(
    run_id: str,
    kind: str,
    name: str,
    changes: Sequence[StoredChange],
    no_changes: Sequence[Json],
    failed: Iterable[str],
) -> dict[str, Any]:
    lines: list[Line] = [line(stored) for stored in changes]
    return {
        "run_id": run_id,
        "kind": kind,
        "name": name,
        "decisions": lines,
        "left_alone": [
            {"tuner": item["tuner"], "target": item["target"], "reason": item["reason"]} for item in no_changes
        ],
        "failed": list(failed),
        "traffic": None,
        "picture": None,
        "advice": [],
        "memory": None,
        "provisioned": None,
        "prices": prices_used(
            [*(stored.change.evidence for stored in changes), *(item.get("evidence") or {} for item in no_changes)]
        ),
        "sizes": [],
        "curves": [],
    }


def _memory(decided: StoredChange | None, alone: Json | None) -> dict[str, Any] | None:
    """Return the sizes seen with duration and price of a million calls, and the chosen size, if there is one."""
    evidence = decided.change.evidence if decided else (alone or {}).get("evidence") or {}
    sizes = evidence.get("sizes")
    if not sizes:
        return None
    architecture = evidence.get("architecture", "x86_64")
    rates = evidence_rates(evidence, decided.change.target if decided else (alone or {}).get("target", ""))
    seen = [
        {
            "memory_mb": int(mb),
            "calls": size["calls"],
            "mean_ms": size["mean_ms"],
            "mean_ms_low": size["mean_interval_ms"][0],
            "mean_ms_high": size["mean_interval_ms"][1],
            "p95_ms": size["p95_ms"],
            "max_memory_used_mb": size["max_memory_used_mb"],
            "usd_million": million_usd(rates, int(mb), size["mean_ms"]),
        }
        for mb, size in sorted(sizes.items(), key=lambda item: int(item[0]))
    ]
    found: dict[str, Any] = {"architecture": architecture, "sizes": seen, "now": None, "chosen": None}
    if decided:
        change = decided.change
        before_mb, after_mb = change.before["memory_mb"], change.after["memory_mb"]
        now = next((size for size in seen if size["memory_mb"] == before_mb), None)
        found["now"] = now and {name: now[name] for name in ("memory_mb", "mean_ms", "usd_million")}
        if now:
            mean_ms = round(now["mean_ms"] * evidence["duration_ratio"], 3)
            usd = million_usd(rates, after_mb, mean_ms)
            found["chosen"] = {"memory_mb": after_mb, "mean_ms": mean_ms, "usd_million": usd}
    return found


def million_usd(rates: EvidenceRates | None, memory_mb: int, mean_ms: float) -> float | None:
    """Return the price of a million calls, their duration and the requests; None where it is not known."""
    if rates is None:
        return None
    duration = aws_lambda.gb_seconds(memory_mb, Decimal(str(mean_ms))) * rates.gb_second_usd
    return round(float((duration + rates.request_usd) * _MILLION), 4)


def _provisioned(decided: StoredChange | None, alone: Json | None) -> dict[str, Any] | None:
    """Return the provisioned environments and their price, now and as proposed."""
    if decided:
        change = decided.change
        return {
            "environments_before": change.before.get("min", change.before["environments"]),
            "environments_after": change.after.get("min", change.after["environments"]),
            "usd_month_before": change.evidence.get("usd_month_before"),
            "usd_month_after": change.evidence.get("usd_month"),
            "utilisation": change.evidence.get("utilisation"),
            "timetable_before": change.before.get("timetable"),
            "timetable_after": change.after.get("timetable"),
        }
    evidence = (alone or {}).get("evidence") or {}
    if "environments" not in evidence:
        return None
    return {
        "environments_before": evidence["environments"],
        "environments_after": None,
        "usd_month_before": evidence.get("usd_month"),
        "usd_month_after": None,
        "utilisation": None,
        "timetable_before": evidence.get("timetable"),
        "timetable_after": None,
    }


def _mb(size_bytes: float | None) -> float | None:
    return None if size_bytes is None else round(size_bytes / 1_048_576, 2)
