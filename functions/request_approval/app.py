"""RequestApproval: send an approval request (`step` "ask"), or record that nobody responded (`step` "expire")."""

from datetime import UTC, datetime
from typing import Any

from optimizer.approvals import (
    ApprovalLink,
    approval_message,
    expire_approval_request,
    run_teller,
    send_approval_request,
)
from optimizer.aws import (
    Environment,
    LinkSigner,
    above_zero,
    check_event,
    clients,
    digest,
    list_of,
    logged,
    name,
    one_of,
    record,
    text,
)
from optimizer.core import Approval
from optimizer.policy import Policy
from optimizer.report import publish_once
from optimizer.store import Documents, RunStore

REQUEST_EVENT = {
    "plan_key": text,
    "digest": digest,
    "ask": list_of(record(change_id=name, tuner=name)),
    "task_token": text,
    "timeout_s": above_zero,
}
ENVIRONMENT = Environment.read()
STORE = RunStore(clients.client("dynamodb"), ENVIRONMENT.table)
TELL_RUN = run_teller(clients.client("stepfunctions"))


@logged("request_approval", step=one_of("ask", "expire"), run_id=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the answer to an event: docs/architecture.md, request_approval."""
    now = datetime.now(UTC)
    if event["step"] == "expire":
        return expire_approval_request(STORE, event["run_id"], now)
    check_event(event, **REQUEST_EVENT)
    documents = Documents(clients.client("s3"), ENVIRONMENT.bucket)
    policy = Policy.from_document(documents.read(f"runs/{event['run_id']}/policy.json"))
    return send_approval_request(STORE, policy, event, now, _send, TELL_RUN)


def _send(approval: Approval, approver: str) -> None:
    signatures = LinkSigner(clients.client("kms"), ENVIRONMENT.approval_key)
    link = ApprovalLink(approval.run_id, approver, approval.expires_at, approval.digest)
    url = link.url(ENVIRONMENT.approval_url, signatures.sign(link))
    # A run that waits anew sends newer links, and each is a message of its own.
    about = f"APPROVAL#{approval.run_id}#{approver}#{int(approval.expires_at.timestamp())}"
    publish_once(
        clients.client("sns"),
        clients.client("events"),
        STORE,
        ENVIRONMENT.topic_arn,
        about,
        approval_message(approval, approver, url, STORE.changes(approval.changes)),
        approval.asked_at,
    )
