"""Apply changes of functions and a cache through the deployed application, and read the state that they leave."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from local_account.account import ACCOUNT_ID, REGION
from local_account.fleet import TargetFunction
from local_account.targets import create_targets
from optimizer.core import canonical_json
from optimizer.core.change import Change, Risk, Status, Tuner
from optimizer.policy.model import Policy
from optimizer.store.documents import Documents
from optimizer.store.run_store import RunStore

from tests.helpers.e2e.running import MEMORY_EVIDENCE, Running
from tests.helpers.rates import PRICED

# Long enough that no check takes place during a test.
LATE = 20_160
CACHE = "/leaving/cache-ttls"
TTLS = {"version": 1, "ttl_s": {"page": 60.0}}
POLICY: dict[str, Any] = {
    "version": 1,
    "mode": "auto",
    "memory": {"watch_minutes": [LATE], "cool_down_days": 0, "max_slowdown": 1.3, "min_gain": 0.01},
    "provisioned_concurrency": {"cool_down_days": 0},
    "warmups": {"watch_minutes": [LATE]},
    "cache_ttls": {
        "watch_minutes": LATE,
        "caches": [
            {
                "name": "leaving",
                "parameter": CACHE,
                "memory_mb": 64,
                "log_groups": ["/aws/lambda/leaving"],
                "namespaces": [{"name": "page", "min_ttl_s": 5, "max_ttl_s": 600}],
            }
        ],
    },
}


class OnTrial:
    """Functions of their own, which no other test has touched, and the changes of a run that nobody started."""

    def __init__(self, running: Running, run_id: str) -> None:
        self.running, self.run_id = running, run_id
        self.store = RunStore(running.dynamodb, running.application.table)
        self._write_policy(run_id)
        ssm = running.account.session.client("ssm")
        ssm.put_parameter(Name=CACHE, Value=json.dumps(TTLS), Type="String", Overwrite=True)

    def function(self, name: str, *, scaled: bool = False) -> TargetFunction:
        """Create a function that may be changed and pinged."""
        ready = next(f for f in self.running.fleet if f.alias and f.tags.get("optimizer:warmup") == "ready")
        target = replace(ready, name=f"{self.run_id}-{name}", scaled=scaled, memory_mb=1024)
        create_targets(self.running.account.session, [target], datetime.now(UTC))
        return target

    def memory(self, target: TargetFunction) -> Change:
        """Propose a smaller memory size, which a canary tries on half of the calls."""
        before = {"memory_mb": target.memory_mb, "version": "1"}
        after = {"memory_mb": target.memory_mb * 3 // 4}
        return self._of(target, Tuner.MEMORY, "set_memory", before, after, MEMORY_EVIDENCE)

    def provisioned(self, target: TargetFunction, before: int, after: int) -> Change:
        """Propose so many environments, which are the allowed maximum where a function has a scaling target."""
        amounts: list[dict[str, Any]] = [{"environments": amount} for amount in (before, after)]
        if target.scaled:
            amounts = [{**amount, "min": 1, "max": amount["environments"]} for amount in amounts]
        evidence = {"usd_month": 2.0 * after, "usd_month_before": 2.0 * before, "utilisation": 0.9, **PRICED}
        name = "set_provisioned_concurrency"
        return self._of(target, Tuner.PROVISIONED_CONCURRENCY, name, *amounts, evidence)

    def timetable(self, target: TargetFunction) -> Change:
        """Propose environments at all hours but those of one night."""
        entries = [
            {"days": ["MON"], "at": "03:00", "environments": 0},
            {"days": ["MON"], "at": "05:00", "environments": 2},
        ]
        after = {"environments": 2, "floor": 0, "timetable": {"timezone": "UTC", "entries": entries}}
        evidence = {"usd_month": 4.0, "usd_month_before": 0.0, "usd_dearest_day": 0.2, "utilisation": 0.9, **PRICED}
        name = "schedule_provisioned_concurrency"
        return self._of(target, Tuner.PROVISIONED_CONCURRENCY, name, {"environments": 0}, after, evidence)

    def step(self, change: Change, target: TargetFunction) -> str:
        """Invoke the function as a schedule of a timetable does at its time; return the outcome."""
        asked = {"function_name": target.name, "alias": target.alias, "change_id": change.id}
        answer = self.running.invoke("provision_function", {**asked, "entry": 0, "environments": 2})
        return str(answer["outcome"])

    def warmups(self, target: TargetFunction) -> Change:
        """Propose pings for tomorrow."""
        first = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(hours=20)
        after = {
            "pings": 2,
            "most_environments": 1,
            "usd_day": 0.0001,
            "alias": target.alias,
            "timezone": "Europe/Berlin",
            "hold_ms": 200,
            "hours": 24,
            "from": first.isoformat(),
            "schedule": [[0, 1, 2, 1]],
        }
        evidence = {"cold_starts_avoided": 3.0, "errors_share": 0.01}
        before = {"schedules": 0, "plans": list[str]()}
        return self._of(target, Tuner.WARMUPS, "schedule_warmups", before, after, evidence)

    def ttls(self) -> Change:
        """Propose a longer TTL of the one namespace of the cache, which has one already."""
        numbers = {"hit_ratio_before": 0.5, "hit_ratio_after": 0.6, "reads": 1000, "miss_ms": 20.0, "reads_per_s": 1.0}
        evidence = {"memory_bytes_before": 1000, "memory_bytes_after": 2000, "namespaces": {"page": numbers}}
        after = {"version": 2, "ttl_s": {"page": 90.0}}
        return self._change("cache/leaving", Tuner.CACHE_TTLS, "set_ttls", TTLS, after, evidence)

    def put_in_place(self, changes: list[Change]) -> None:
        """Apply the changes, as a run does, and wait until all of them are under observation."""
        arns = []
        for change in changes:
            self.store.record_change(change, Status.APPROVED, datetime.now(UTC))
            asked = {"run_id": change.run_id, "change_id": change.id, "tuner": change.tuner.value}
            arns.append(self.running.start(self.running.application.change_arn, change.id, asked))
        for arn in arns:
            self.running.until([arn], "WaitToVerify")

    def again(self, change: Change) -> Change:
        """Return the change as a later run would propose it, with an id of its own."""
        later = replace(change, run_id=f"{self.run_id}-again")
        self._write_policy(later.run_id)
        return later

    def keep(self, change: Change) -> None:
        """Mark the change as kept, as if its observation had ended well."""
        asked = {"step": "keep", "run_id": change.run_id, "change_id": change.id}
        assert self.running.invoke("change_capacity", asked)["outcome"] == "kept"

    def state(self, targets: list[TargetFunction]) -> dict[str, Any]:
        """Return everything that the application could leave: functions, Application Auto Scaling, pings, TTLs."""
        session = self.running.account.session
        scaling = session.client("application-autoscaling")
        bounds = scaling.describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"]
        parameter = session.client("ssm").get_parameter(Name=CACHE)["Parameter"]["Value"]
        found: dict[str, Any] = {target.name: self.running.function(target) for target in targets}
        for function in found.values():
            # Versions cost nothing and cannot be published again under the same number; they stay.
            function["memory_mb"] = function["memory_mb"]["$LATEST"]
        mine = [bound for bound in bounds if f":{self.run_id}-" in bound["ResourceId"]]
        return {
            **found,
            "bounds": [(bound["ResourceId"], bound["MinCapacity"], bound["MaxCapacity"]) for bound in mine],
            "ttl_s": json.loads(parameter)["ttl_s"],
        }

    def _write_policy(self, run_id: str) -> None:
        policy = canonical_json.plain(Policy.from_document(POLICY))
        Documents(self.running.s3, self.running.application.bucket).write(f"runs/{run_id}/policy.json", policy)

    def _of(
        self, target: TargetFunction, tuner: Tuner, action: str, before: Any, after: Any, evidence: dict[str, Any]
    ) -> Change:
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{target.name}"
        return self._change(arn, tuner, action, before, after, {**evidence, "alias": target.alias})

    def _change(
        self, target: str, tuner: Tuner, action: str, before: Any, after: Any, evidence: dict[str, Any]
    ) -> Change:
        return Change(
            run_id=self.run_id,
            tuner=tuner,
            action=action,
            target=target,
            before=before,
            after=after,
            reason="to see what becomes of it",
            undo=before,
            risk=Risk.LOW,
            evidence=evidence,
        )
