"""The start of a run: policy, lock, targets and manifest, in an order that may be repeated from any point."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from optimizer.aws import ResourceGroupsTaggingAPIClient
from optimizer.core import FunctionTarget, canonical_json
from optimizer.policy import Policy
from optimizer.run.glance import Glance
from optimizer.run.request import TUNERS, RunRequest, UnusableRequest
from optimizer.run.targets import BATCH, choose_targets, tagged_functions
from optimizer.store import Documents, NoSuchDocument, RunTable

# Longer than planning and applying take; the time that people have to respond is added.
_LEASE = timedelta(hours=8)
_LIST_LIMIT = 10
# The tuners that read functions one by one.
_CAPACITY = ("memory", "provisioned_concurrency")


def start_run(
    store: RunTable,
    documents: Documents,
    tagging: "ResourceGroupsTaggingAPIClient",
    event: Mapping[str, Any],
    *,
    policy_key: str,
    read_policy: Callable[[bytes], Policy],
    now: datetime,
    glance: Callable[[Collection[str]], Glance] = lambda _names: Glance(),
) -> dict[str, Any]:
    """Start the run of the event, and return the answer that docs/architecture.md lists.

    `read_policy` raises InvalidPolicy (a ValueError with `errors`). `glance` looks at many functions at once. Nothing
    is written before the lock is held, so a run that meets another run, or errors in its input or policy, leaves
    nothing behind. A second attempt reads what the first one wrote, or writes the same again.
    """
    run_id = event["run_id"]
    try:
        request = RunRequest.read(event.get("request", {}))
    except UnusableRequest as unusable:
        return _unusable(unusable)
    if request.review:
        # A review only reads, so it neither waits for another run nor delays one.
        store.record_run(run_id, now, execution_arn=event["execution_arn"], request=canonical_json.plain(request))
        return {"outcome": "review", "run_id": run_id}
    try:
        policy = _policy_of(documents, run_id, policy_key, read_policy)
    except ValueError as invalid:
        return {"outcome": "policy_invalid", "message": _explain(policy_key, getattr(invalid, "errors", [invalid]))}
    try:
        request = request.under(policy)
    except UnusableRequest as unusable:
        return _unusable(unusable)
    if request.is_idle:
        return {"outcome": "skipped", "message": "No requested tuner has the mode auto; this run does nothing."}
    holder = store.take_lock(run_id, now, _LEASE + timedelta(hours=policy.run.approval_hours))
    if holder != run_id:
        return {"outcome": "busy", "message": f"Run {holder} is still active; this run does nothing."}
    documents.write(_policy_key(run_id), canonical_json.plain(policy))
    targets, problem = _targets(store, documents, tagging, run_id, policy, request, event["execution_arn"], now, glance)
    return {
        "outcome": "started",
        "run_id": run_id,
        "manifest_key": f"runs/{run_id}/manifest.json",
        "bucket": documents.bucket,
        "targets": targets,
        "databases": _databases(policy, request) if request.wants("indexes") else [],
        "caches": [cache.name for cache in policy.cache_ttls.caches] if request.wants("cache_ttls") else [],
        "report_parts": [f"{batch:04d}" for batch in range(math.ceil(targets / BATCH))],
        "approval_timeout_s": max(60, round(policy.run.approval_hours * 3600)),
        "max_changes_at_once": policy.run.max_changes_at_once,
        **({"unlisted": problem} if problem else {}),
    }


def _unusable(why: UnusableRequest) -> dict[str, Any]:
    return {"outcome": "request_invalid", "message": f"The input of the execution cannot be used: {why}."}


def _databases(policy: Policy, request: RunRequest) -> list[dict[str, Any]]:
    """Return the databases of the run by cluster, because those of one cluster are checked one after another."""
    clusters: dict[str, list[str]] = {}
    for database in policy.indexes.databases:
        if request.databases is None or database.name in request.databases:
            clusters.setdefault(database.cluster or database.host, []).append(database.name)
    return [{"cluster": cluster, "databases": names} for cluster, names in clusters.items()]


def _policy_of(documents: Documents, run_id: str, policy_key: str, read_policy: Callable[[bytes], Policy]) -> Policy:
    """Return the policy that the run's first attempt read, so that a newer one does not change an active run."""
    try:
        return Policy.from_document(documents.read(_policy_key(run_id)))
    except NoSuchDocument:
        pass
    try:
        return read_policy(documents.read_bytes(policy_key))
    except NoSuchDocument:
        # Without a stored policy nothing is allowed: the default only recommends.
        return read_policy(b'{"version": 1}')


def _targets(
    store: RunTable,
    documents: Documents,
    tagging: "ResourceGroupsTaggingAPIClient",
    run_id: str,
    policy: Policy,
    request: RunRequest,
    execution_arn: str,
    now: datetime,
    glance: Callable[[Collection[str]], Glance],
) -> tuple[int, str]:
    """Write the batches, then the manifest that names them, then the run's record.

    Return the number of targets, and why they were not listed in bulk, empty if they were."""
    tagged = tagged_functions(tagging, policy.functions.tags) if request.wants_functions() else ()
    found = choose_targets(tagged, policy, request.functions if request.wants_functions() else None)
    batches = {f"{number:04d}": batch for number, batch in enumerate(found.batches())}
    # One batch is read function by function within seconds, and needs no lists of the whole account.
    is_worth_a_glance = len(batches) > 1 and any(map(request.wants, _CAPACITY))
    seen = glance([function.function_name for function in found.functions]) if is_worth_a_glance else Glance()
    for name, batch in batches.items():
        documents.write(_batch_key(run_id, name), _batch_document(batch, request, seen, len(batches)))
    manifest = [{"batch": name, "key": _batch_key(run_id, name)} for name in batches]
    documents.write(f"runs/{run_id}/manifest.json", manifest)
    store.record_run(
        run_id,
        now,
        execution_arn=execution_arn,
        request=canonical_json.plain(request),
        targets=len(found.functions),
        batches=len(batches),
        left_out=dict(found.left_out),
        mode=policy.mode.value,
        untagged=_untagged(policy, request) if not found.functions else "",
    )
    return len(found.functions), seen.problem


def _untagged(policy: Policy, request: RunRequest) -> str:
    """Return the tags to set if a run finds no function, database or cache because nothing is set up yet."""
    is_set_up = policy.indexes.databases or policy.cache_ttls.caches or request.functions or request.databases
    return "" if is_set_up else ",".join(f"{key}={value}" for key, value in sorted(policy.functions.tags.items()))


def _policy_key(run_id: str) -> str:
    return f"runs/{run_id}/policy.json"


def _batch_key(run_id: str, batch: str) -> str:
    return f"runs/{run_id}/batches/{batch}.json"


def _batch_document(batch: Sequence[FunctionTarget], request: RunRequest, seen: Glance, batches: int) -> dict[str, Any]:
    names = {function.function_name for function in batch}
    return {
        "functions": canonical_json.plain(batch),
        "tuners": [tuner for tuner in TUNERS if request.wants(tuner)],
        "fingerprints": {name: seen.fingerprints[name] for name in sorted(names & seen.fingerprints.keys())},
        "provisioned": sorted(names.intersection(seen.provisioned)),
        "batches": batches,
    }


def _explain(policy_key: str, errors: Sequence[object]) -> str:
    shown = " ".join(f"({number}) {error}" for number, error in enumerate(errors[:_LIST_LIMIT], start=1))
    more = f" And {len(errors) - _LIST_LIMIT} more." if len(errors) > _LIST_LIMIT else ""
    count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    return f"The policy {policy_key} has {count}: {shown}{more}"
