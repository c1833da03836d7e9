"""The plan of a run: every proposal with its verdict, decided once and then recorded."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from optimizer import guardrails
from optimizer.aws import at_once
from optimizer.core import Change, Judged, NoChange, Status, StoredChange, Tuner, canonical_json, observed_together
from optimizer.guardrails import Account, Decision, Held, Refusal, Verdict
from optimizer.policy import Mode, Policy, settings_of_change
from optimizer.store import Documents, NoSuchDocument, RunStore

_STATUSES = {
    Decision.AUTOMATIC: Status.APPROVED,
    Decision.ASK: Status.AWAITING_APPROVAL,
    Decision.RECOMMENDED: Status.RECOMMENDED,
    Decision.REFUSED: Status.REFUSED,
}


# Larger memory sizes of this time count in the budget of a run, if they were kept or may still be.
_BUDGET_MONTH = timedelta(days=30)
_MOST_EARLIER = 10_000
_STANDING = frozenset({Status.APPROVED, Status.APPLYING, Status.WATCHING, Status.KEPT})


@dataclass(frozen=True, slots=True)
class RunProposals:
    """The proposals of all planners of a run. `failed`: the reason by target."""

    changes: Sequence[Change] = ()
    no_changes: Sequence[Mapping[str, Any]] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


def read_proposals(documents: Documents, run_id: str) -> RunProposals:
    """Read all proposals of the run, each change once, in the order of their ids."""
    changes: dict[str, Change] = {}
    no_changes: list[Mapping[str, Any]] = []
    failed: dict[str, str] = {}
    for document in at_once(documents.read, documents.keys(f"runs/{run_id}/proposals/")):
        for change in map(Change.from_document, document["changes"]):
            changes[change.id] = change
        no_changes.extend(document["no_changes"])
        failed.update(document["failed"])
    return RunProposals([changes[change_id] for change_id in sorted(changes)], no_changes, failed)


def check_run(
    store: RunStore,
    documents: Documents,
    run_id: str,
    unreserved_concurrency: Callable[[], int],
    now: datetime,
) -> dict[str, Any]:
    """Check all proposals, write the plan, record every change, and return the answer that docs/architecture.md lists.

    The plan is written before anything is recorded, and an existing plan is used as it is, so that a step that runs
    twice does not decide twice. `unreserved_concurrency` reads the account; it is called only if a change needs it.
    """
    key = f"runs/{run_id}/plan.json"
    try:
        plan = documents.read(key)
    except NoSuchDocument:
        plan = _decide(store, documents, run_id, unreserved_concurrency, now)
        documents.write(key, plan)
    judged = [_judged(item) for item in plan["proposals"]]
    store.record_changes(judged, now)
    _remember_request(store, documents, run_id, [one.change for one in judged if one.verdict == Decision.ASK], plan)
    acting = [one.change for one in judged if one.verdict in (Decision.AUTOMATIC, Decision.ASK)]
    store.remember_turns([change for change in acting if guardrails.is_new_plan(change)], now)
    by_decision = {decision: [entry.change for entry in judged if entry.verdict == decision] for decision in Decision}
    store.record_run(run_id, now, verdicts={decision.value: len(found) for decision, found in by_decision.items()})
    return {
        "outcome": "checked",
        "run_id": run_id,
        "plan_key": key,
        "digest": canonical_json.sha256(plan),
        "automatic": _pairs(by_decision[Decision.AUTOMATIC]),
        "ask": _pairs(by_decision[Decision.ASK]),
        "recommended": len(by_decision[Decision.RECOMMENDED]),
        "refused": len(by_decision[Decision.REFUSED]),
    }


def _decide(
    store: RunStore,
    documents: Documents,
    run_id: str,
    unreserved_concurrency: Callable[[], int],
    now: datetime,
) -> dict[str, Any]:
    policy = Policy.from_document(documents.read(f"runs/{run_id}/policy.json"))
    proposals = read_proposals(documents, run_id)
    run = store.run(run_id)
    request = run.get("request") or {}
    asked = request.get("tuners") or list(Tuner)
    wanted = [change for change in proposals.changes if change.tuner in asked]
    needs_account = any(map(guardrails.needs_account, wanted))
    account = Account(
        targets=run.get("targets", 0),
        unreserved_concurrency=unreserved_concurrency() if needs_account else None,
        cool_downs=_cool_downs(store, wanted),
        held=_held(proposals),
        observed=_observed(store, wanted, now),
        rejections=store.rejections(wanted, now),
        raised=_raised(store, wanted, now),
        turns=store.turns([change.target for change in wanted if guardrails.is_new_plan(change)], Tuner.WARMUPS, now),
        **_open_proposals(store, wanted, policy, now),
    )
    verdicts = {verdict.change_id: verdict for verdict in guardrails.check(wanted, policy, account, now)}
    if request.get("only_automatic"):
        verdicts = {change_id: _only_automatic(verdict) for change_id, verdict in verdicts.items()}
    judged = [(change, verdicts.get(change.id) or _not_asked(change)) for change in proposals.changes]
    postponed = [_no_change(*one) for one in judged if one[1].verdict is Decision.POSTPONED]
    return {
        "run_id": run_id,
        "decided_at": now.isoformat(),
        "proposals": [_entry(*one) for one in judged if one[1].verdict is not Decision.POSTPONED],
        "no_changes": canonical_json.plain([*proposals.no_changes, *postponed]),
        "postponed": canonical_json.plain(postponed),
        "failed": dict(proposals.failed),
    }


def _open_proposals(
    store: RunStore, changes: Sequence[Change], policy: Policy, now: datetime
) -> dict[str, dict[str, Refusal]]:
    """Return earlier proposals for the resources that wait: for people, whom nobody asks twice, or for a window."""
    acting = [
        change for change in changes if settings_of_change(policy, change).mode_of(change.tuner) is not Mode.RECOMMEND
    ]
    zone = ZoneInfo(policy.time_zone)
    found: dict[str, dict[str, Refusal]] = {"asked": {}, "waiting": {}}
    # A daily run may start some minutes before the request of the day before ends: it asks anew.
    nearly_over = now + min(timedelta(hours=1), timedelta(hours=policy.run.approval_hours) / 10)
    for change_id, (stored, until) in store.open_requests(acting, now).items():
        if stored.waits_until:
            found["waiting"][change_id] = _waits(stored, stored.waits_until.astimezone(zone))
            continue
        if until <= nearly_over:
            continue
        since = stored.times.get(Status.AWAITING_APPROVAL.value, now).astimezone(zone)
        message = (
            f"Waiting for approval since {since:%Y-%m-%d %H:%M} (run {stored.change.run_id}), "
            f"until {until.astimezone(zone):%Y-%m-%d %H:%M %Z}."
        )
        found["asked"][change_id] = Refusal("approval.open", message)
    return found


def _waits(stored: StoredChange, until: datetime) -> Refusal:
    return Refusal(
        "change.waits",
        f"Change {stored.change.id} (run {stored.change.run_id}) is approved, and waits to be applied until "
        f"{until:%Y-%m-%d %H:%M %Z}. This is decided again afterwards.",
    )


def _remember_request(
    store: RunStore, documents: Documents, run_id: str, asked: Sequence[Change], plan: Mapping[str, Any]
) -> None:
    if asked:
        policy = Policy.from_document(documents.read(f"runs/{run_id}/policy.json"))
        until = datetime.fromisoformat(plan["decided_at"]) + timedelta(hours=policy.run.approval_hours)
        store.remember_request(asked, until)


def _only_automatic(verdict: Verdict) -> Verdict:
    """Leave out what the policy does not apply by itself: such a run starts too often to ask or recommend anything."""
    if verdict.verdict not in (Decision.ASK, Decision.RECOMMENDED):
        return verdict
    message = "This run only applies what is automatic; the policy requires approval for this change."
    return Verdict(verdict.change_id, Decision.POSTPONED, "run.only_automatic", message)


def _no_change(change: Change, verdict: Verdict) -> NoChange:
    """Return a postponed proposal as what it is to people: no change now, with the reason and what was wanted."""
    evidence = {**change.evidence, "wanted": dict(change.after), "rule": verdict.rule}
    return NoChange(change.run_id, change.tuner, change.target, verdict.message, evidence)


def _judged(entry: Mapping[str, Any]) -> Judged:
    verdict = Decision(entry["verdict"])
    change = Change.from_document(entry["change"])
    return Judged(change, _STATUSES[verdict], verdict.value, entry["rule"], entry["message"])


def _entry(change: Change, verdict: Verdict) -> dict[str, Any]:
    decided = {"verdict": verdict.verdict.value, "rule": verdict.rule, "message": verdict.message}
    return {"change": change.to_document(), **decided}


def _not_asked(change: Change) -> Verdict:
    message = f"This run was not started for {change.tuner.value}."
    return Verdict(change.id, Decision.REFUSED, "run.request", message)


def _cool_downs(store: RunStore, changes: Sequence[Change]) -> dict[tuple[str, Tuner], datetime]:
    found: dict[tuple[str, Tuner], datetime] = {}
    for tuner in sorted({change.tuner for change in changes}):
        targets = [change.target for change in changes if change.tuner is tuner]
        found |= {(target, tuner): until for target, until in store.cool_downs(targets, tuner).items()}
    return found


def _observed(store: RunStore, changes: Sequence[Change], now: datetime) -> dict[tuple[str, Tuner], StoredChange]:
    """Return the changes of earlier runs that are under observation where one of these changes would disturb them."""
    groups: dict[frozenset[Tuner], set[str]] = {}
    for change in changes:
        groups.setdefault(observed_together(change.tuner), set()).add(change.target)
    found: dict[tuple[str, Tuner], StoredChange] = {}
    for tuners, targets in groups.items():
        found |= store.under_observation(sorted(targets), sorted(tuners), now)
    return found


def _raised(store: RunStore, changes: Sequence[Change], now: datetime) -> list[Change]:
    """Return the changes to larger memory sizes of the last month that count in the budget of this run.

    They are only read where a proposal adds to the bill by a larger size."""
    if not any(change.tuner is Tuner.MEMORY and guardrails.raised_usd_month(change) for change in changes):
        return []
    earlier = store.changes_since(now - _BUDGET_MONTH, _MOST_EARLIER)
    return [
        one.change
        for one in earlier
        if one.change.tuner is Tuner.MEMORY and one.status in _STANDING and guardrails.raised_usd_month(one.change)
    ]


def _held(proposals: RunProposals) -> dict[str, Held]:
    """Return the provisioned concurrency of functions that need no change, as far as planners report any."""
    held: dict[str, Held] = {}
    for item in proposals.no_changes:
        evidence = item.get("evidence") or {}
        if item["tuner"] == Tuner.PROVISIONED_CONCURRENCY and evidence.get("environments"):
            held[item["target"]] = Held(
                _number(evidence["environments"], int),
                _number(evidence.get("usd_month"), float),
                _number(evidence.get("usd_dearest_day"), float),
                evidence.get("tags"),
            )
    return held


def _number[T: (int, float)](value: object, kind: type[T]) -> T | None:
    return kind(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _pairs(changes: Iterable[Change]) -> list[dict[str, str]]:
    return [{"change_id": change.id, "tuner": change.tuner.value} for change in changes]
