"""The plan of a run: every proposal with its verdict, recorded before anything can act on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from optimizer import canonical
from optimizer.changes import Change, Status, Tuner
from optimizer.documents import Documents
from optimizer.guardrails.check import check
from optimizer.guardrails.run import Account, Held
from optimizer.guardrails.verdict import Decision, Verdict
from optimizer.policy.model import Policy
from optimizer.runs import RunStore

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_STATUS = {
    Decision.AUTOMATIC: Status.APPROVED,
    Decision.ASK: Status.AWAITING_APPROVAL,
    Decision.RECOMMENDED: Status.RECOMMENDED,
    Decision.REFUSED: Status.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Proposals:
    """What all planners of a run proposed and left alone."""

    changes: tuple[Change, ...]
    no_changes: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Every proposal with its verdict. The digest binds an approval to it."""

    run_id: str
    proposals: tuple[tuple[Change, Verdict], ...]

    def document(self) -> dict[str, Any]:
        """`{"run_id", "digest", "proposals": [{"change", "verdict", "rule", "message"}]}`."""
        proposals = [
            {"change": change.to_document(), "verdict": v.verdict.value, "rule": v.rule, "message": v.message}
            for change, v in self.proposals
        ]
        return {"run_id": self.run_id, "digest": canonical.sha256(proposals), "proposals": proposals}


def read_proposals(documents: Documents, run_id: str, tuners: Sequence[str] | None = None) -> Proposals:
    """Read what the planners wrote; of the changes only those by `tuners` if the run was asked for these only."""
    found = [documents.read(key) for key in documents.keys(f"runs/{run_id}/proposals/")]
    return Proposals(
        changes=tuple(
            Change.from_document(change)
            for document in found
            for change in document["changes"]
            if tuners is None or change["tuner"] in tuners
        ),
        no_changes=tuple(item for document in found for item in document["no_changes"]),
    )


def read_account(
    lambda_: "LambdaClient", store: RunStore, proposals: Proposals, targets: int, tuners: Sequence[Tuner] = tuple(Tuner)
) -> Account:
    """The state of the account that guardrails of a plan need."""
    unreserved = lambda_.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    names = sorted({change.target for change in proposals.changes})
    cool_downs = {
        (target, tuner): until for tuner in tuners for target, until in store.cool_downs(names, tuner).items()
    }
    held = {
        item["target"]: Held(int(item["evidence"]["environments"]), float(item["evidence"]["usd_month"]))
        for item in proposals.no_changes
        if item["tuner"] == Tuner.PROVISIONED_CONCURRENCY and item["evidence"].get("environments")
    }
    return Account(targets=targets, unreserved_concurrency=unreserved, cool_downs=cool_downs, held=held)


def make_plan(run_id: str, proposals: Proposals, policy: Policy, account: Account, now: datetime) -> Plan:
    """Pure: the verdicts of all proposals together."""
    verdicts = check(proposals.changes, policy, account, now)
    return Plan(run_id, tuple(zip(proposals.changes, verdicts, strict=True)))


def record_plan(store: RunStore, document: Mapping[str, Any], now: datetime) -> None:
    """Record each change of a plan document with its verdict. Recorded again, what was recorded first stays."""
    for item in document["proposals"]:
        store.record_change(
            Change.from_document(item["change"]),
            _STATUS[Decision(item["verdict"])],
            now,
            verdict=item["verdict"],
            rule=item["rule"],
            message=item["message"],
        )
