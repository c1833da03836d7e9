"""Start a run: check the policy, take the lock, find the targets, write the batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from optimizer import canonical
from optimizer.changes import Tuner
from optimizer.documents import Documents, NoSuchDocument
from optimizer.policy.check import InvalidPolicy, read
from optimizer.policy.model import Policy
from optimizer.runs import RunStore
from optimizer.targets import Chosen, choose, tagged_functions

if TYPE_CHECKING:
    from mypy_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient

BATCH_SIZE = 50
# A run that died without its failure path must not block the next ones for ever; one that waits for an answer must
# not lose the lock.
LEASE_BESIDE_APPROVAL = timedelta(hours=3)
_REQUEST_KEYS = {"tuners", "functions", "reason"}


class UnusableRequest(ValueError):
    """The input of the execution is not one that a run understands; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a run is asked to do. None: all tuners, all functions that the policy allows."""

    tuners: tuple[Tuner, ...] | None = None
    functions: tuple[str, ...] | None = None
    reason: str = ""

    @classmethod
    def read(cls, document: Any) -> "Request":
        """UnusableRequest names the field that is wrong."""
        if not isinstance(document, Mapping):
            raise UnusableRequest(f"the input must be a JSON object, not {type(document).__name__}")
        unknown = sorted(set(document) - _REQUEST_KEYS)
        if unknown:
            raise UnusableRequest(f"the input has no {', '.join(unknown)}; it has {', '.join(sorted(_REQUEST_KEYS))}")
        tuners = _texts(document, "tuners")
        wrong = [tuner for tuner in tuners or () if tuner not in set(Tuner)]
        if wrong:
            raise UnusableRequest(f"tuners: {', '.join(wrong)} is none of {', '.join(Tuner)}")
        return cls(
            tuners=None if tuners is None else tuple(Tuner(tuner) for tuner in tuners),
            functions=_texts(document, "functions"),
            reason=str(document.get("reason", "")),
        )


def start(
    store: RunStore,
    documents: Documents,
    tagging: "ResourceGroupsTaggingAPIClient",
    run_id: str,
    policy_key: str,
    request: Any,
    now: datetime,
) -> dict[str, Any]:
    """The answer of start_run in docs/architecture.md. Started again under the same id it does the same again."""
    try:
        asked, policy = Request.read(request), read_policy(documents, policy_key)
    except UnusableRequest as error:
        return {"outcome": "request_invalid", "run_id": run_id, "message": f"The run was not started: {error}."}
    except InvalidPolicy as invalid:
        said = "\n".join(f"- {error}" for error in invalid.errors)
        message = f"The policy {policy_key} has {len(invalid.errors)} errors; nothing was done:\n{said}"
        return {"outcome": "policy_invalid", "run_id": run_id, "message": message}
    holder = store.take_lock(run_id, now, timedelta(hours=policy.run.approval_hours) + LEASE_BESIDE_APPROVAL)
    if holder != run_id:
        return {
            "outcome": "busy",
            "run_id": run_id,
            "message": f"Run {holder} is still going; two runs at once could change the same thing.",
        }
    store.record_run(run_id, now, tuners=asked.tuners, functions=asked.functions, reason=asked.reason)
    chosen = choose(tagged_functions(tagging, policy.functions.tags), policy, asked.functions)
    documents.write(f"runs/{run_id}/policy.json", canonical.plain(policy))
    manifest_key = write_batches(documents, run_id, chosen)
    store.record_run(run_id, now, targets=len(chosen.targets))
    return {
        "outcome": "started",
        "run_id": run_id,
        "manifest_key": manifest_key,
        "bucket": documents.bucket,
        "targets": len(chosen.targets),
        "databases": [],
        "caches": [],
        "approval_timeout_s": int(policy.run.approval_hours * 3600),
        "max_changes_at_once": max(1, policy.run.max_changes_at_once),
    }


def read_policy(documents: Documents, policy_key: str) -> Policy:
    """The team's policy, or the default one, which only recommends, if none is stored; InvalidPolicy."""
    try:
        return read(documents.read_bytes(policy_key))
    except NoSuchDocument:
        return Policy()


def write_batches(documents: Documents, run_id: str, chosen: Chosen) -> str:
    """Write the batches, then the manifest that names them; returns the manifest's key."""
    manifest = []
    for number, first in enumerate(range(0, len(chosen.targets), BATCH_SIZE)):
        batch = f"{number:04d}"
        key = f"runs/{run_id}/batches/{batch}.json"
        documents.write(key, {"functions": chosen.targets[first : first + BATCH_SIZE]})
        manifest.append({"batch": batch, "key": key})
    # What was asked for and is no target is a failure of that target, reported with the others.
    documents.write(
        f"runs/{run_id}/proposals/targets.json", {"changes": [], "no_changes": [], "failed": chosen.left_out}
    )
    return documents.write(f"runs/{run_id}/manifest.json", manifest)


def _texts(document: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    values = document.get(name)
    if values is None:
        return None
    if isinstance(values, str) or not isinstance(values, Sequence) or not all(isinstance(v, str) for v in values):
        raise UnusableRequest(f"{name} must be a list of texts")
    return tuple(values)
