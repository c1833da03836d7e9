"""The facts last known of each function and change, whichever run looked at them. Pure.

A run looks only at the functions and tuners that it was started for. Numbers in messages and reviews must not depend on
which run ended last, so each run adds what it saw to what was known before.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from optimizer.core import Tuner
from optimizer.report.savings import Facts

KEY = "history/report/last_known.json"
# A function that no run has seen for so long does not take part any more.
_FORGOTTEN = timedelta(days=8)
# A review looks back on a quarter.
_REVIEWED = timedelta(days=91)
_WEEKS = 60
# The parts of the evidence by which changes are verified.
_PARTS = {
    Tuner.MEMORY: ("sizes", "architecture"),
    Tuner.PROVISIONED_CONCURRENCY: ("usd_month", "usd_month_before"),
}

type Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LastKnown:
    """The last look at everything.

    `functions`: by ARN, when it was `seen`, its `calls_day` and the `environments` of its peak. `evidence`: by target
    and tuner, of targets with a change that has ended. `weeks`: functions, calls and environments by ISO week.
    """

    functions: Mapping[str, Json] = field(default_factory=dict)
    evidence: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    weeks: Mapping[str, Json] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Json) -> "LastKnown":
        """Read the document that `document` returns."""
        return cls(document["functions"], document["evidence"], document["weeks"])

    def document(self) -> dict[str, Any]:
        """Return the looks as a document."""
        return {"version": 1, "functions": self.functions, "evidence": self.evidence, "weeks": self.weeks}

    def with_traffic(self, traffic: Iterable[Json], now: datetime, *, is_complete: bool) -> "LastKnown":
        """Return the looks with what a run saw of its functions. `is_complete`: it looked at all that take part."""
        seen = {
            found["function_arn"]: {
                "seen": now.isoformat(),
                "calls_day": found["invocations_day"],
                "environments": int((found.get("need") or {}).get("max") or 0),
            }
            for found in traffic
        }
        if not seen:
            return self
        since = now - _FORGOTTEN
        known = {} if is_complete else self.functions
        functions = {arn: one for arn, one in known.items() if datetime.fromisoformat(one["seen"]) >= since} | seen
        week = {
            "functions": len(functions),
            "calls_day": round(sum(one["calls_day"] or 0.0 for one in functions.values()), 1),
            "environments": sum(one["environments"] for one in functions.values()),
        }
        weeks = dict(sorted({**self.weeks, week_of(now): week}.items())[-_WEEKS:])
        return replace(self, functions=functions, weeks=weeks)

    def with_evidence(
        self, evidence: Mapping[str, Mapping[str, Json]], ended: Collection[str], now: datetime
    ) -> "LastKnown":
        """Return the looks with the evidence of a run, by target and tuner. `ended`: targets with an ended change."""
        since = (now - _REVIEWED).isoformat()
        known = {
            target: recent
            for target, found in self.evidence.items()
            if (recent := {tuner: one for tuner, one in found.items() if one["seen"] >= since})
        }
        for target in ended:
            for tuner, parts in _PARTS.items():
                found = evidence.get(target, {}).get(tuner.value, {})
                if any(found.get(part) is not None for part in parts):
                    kept = {part: found[part] for part in parts if part in found} | {"seen": now.isoformat()}
                    known.setdefault(target, {})[tuner.value] = kept
        return replace(self, evidence=known)

    def facts(self) -> dict[str, Facts]:
        """Return the facts by target, for verified savings."""
        return {
            target: Facts(self.functions.get(target, {}).get("calls_day"), found)
            for target, found in self.evidence.items()
        }


def week_of(at: datetime) -> str:
    """Return the ISO week: `2026-W48`."""
    year, week, _ = at.isocalendar()
    return f"{year}-W{week:02d}"
