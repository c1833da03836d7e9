"""An approval request and its approvers without a deployed application: the shipped code on emulated services."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import boto3
import pytest
from moto import mock_aws
from optimizer.approvals import PageServices, respond_to_page_request
from optimizer.approvals.request_approval import send_approval_request
from optimizer.approvals.send import RequestSender
from optimizer.approvals.tell_run import TellPeople, TellRun
from optimizer.approvals.topics import approver_topics, topic_of
from optimizer.aws import LinkSigner
from optimizer.core.change import Change, Effect, Interval, Risk, Status, Tuner
from optimizer.policy.model import Policy
from optimizer.report.publish import Channels
from optimizer.store.run_store import RunStore

from tests.helpers.own_account import create_run_table
from tests.helpers.topics import PEOPLE, PROGRAMS, Delivered, Topics

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
HOST = "abc.lambda-url.eu-west-1.on.aws"
TOKEN = "AQCEAAAAKgAAAAMAAAAAAAAAATASKTOKEN"
DIGEST = "d" * 64
TWO_OF_THREE = {"approvers": [{"name": "anna"}, {"name": "ben"}, {"name": "cleo"}], "needed": 2}
TOPICS = approver_topics(PEOPLE, "optimizer")
# An address and a queue that get everything, without a filter.
EVERYBODY, PROGRAM = "team@example.com", "arn:aws:sqs:eu-west-1:123456789012:program"
type Answer = dict[str, Any]


@dataclass(slots=True)
class Asking:
    """The run `run-1`, its approval request, and the responses that the run receives.

    `waits` is whether the run still waits; `broken` is an error that is raised instead of telling the run.
    """

    store: RunStore
    signatures: LinkSigner
    sns: Topics
    events: Any
    base: str = f"https://{HOST}/"
    waits: bool = True
    broken: Exception | None = None
    told: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    told_of: list[str] = field(default_factory=list)

    def propose(self, name: str, **fields: Any) -> Change:
        """Record a change that waits for approval."""
        values: dict[str, Any] = {
            "run_id": "run-1",
            "tuner": Tuner.MEMORY,
            "action": "set_memory",
            "target": f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
            "before": {"memory_mb": 512, "version": "3"},
            "after": {"memory_mb": 768},
            "reason": f"{name}: it is faster with more memory and costs less, because most of its time is computing.",
            "undo": {"memory_mb": 512, "version": "3"},
            "risk": Risk.MEDIUM,
            "evidence": {"max_memory_used_mb": 301.25, "samples": 48211, "price_ratio": 0.91, "p95_ms": None},
            "effect": Effect(usd_month=Interval(-3.2, -4.1, -2.3), latency_ms=Interval(-41, -60, -22)),
        }
        change = Change(**{**values, **fields})
        self.store.record_change(change, Status.AWAITING_APPROVAL, NOW)
        return change

    def ask(
        self,
        *changes: Change,
        approvals: Mapping[str, Any] | None = None,
        now: datetime = NOW,
        token: str = TOKEN,
        with_topics: bool = True,
    ) -> Answer:
        """Send an approval request for the changes, as request_approval does."""
        policy = Policy.from_document({"version": 1, "time_zone": "Europe/Berlin", "approvals": approvals or {}})
        event = {
            "step": "ask",
            "run_id": "run-1",
            "plan_key": "runs/run-1/plan.json",
            "digest": DIGEST,
            "ask": [{"change_id": change.id, "tuner": change.tuner.value} for change in changes],
            "task_token": token,
            "timeout_s": 86400,
        }
        for approver in policy.approvals.approvers if with_topics else ():
            self.add_approver(approver.name)
        return send_approval_request(self.store, policy, event, now, self.sender(), self.tell_run)

    def sender(self) -> RequestSender:
        """Return what sends the links, as in request_approval."""
        channels = Channels(self.sns, self.events, PEOPLE, PROGRAMS)  # type: ignore[arg-type]
        return RequestSender(channels, self.store, self.signatures, self.base, TOPICS)

    def add_approver(self, name: str) -> None:
        """Make the approver's topic and subscribe the address, as `optimizer approvals add` does."""
        self.sns.create_topic(Name=topic_of(TOPICS, name).rpartition(":")[2])
        self.sns.listen(topic_of(TOPICS, name), address(name))

    def tell_run(self, token: str, answer: Mapping[str, Any]) -> bool:
        """Act as SendTaskSuccess: a token serves once."""
        if self.broken:
            raise self.broken
        if not self.waits:
            return False
        self.waits = False
        self.told.append((token, answer))
        return True

    def tell_people(self, run_id: str) -> None:
        """Record that request_approval was called, to tell people of the responses."""
        self.told_of.append(run_id)

    @property
    def tellers(self) -> tuple[TellRun, TellPeople]:
        """What tells the run, and what tells people."""
        return self.tell_run, self.tell_people

    def link(self, approver: str = "") -> str:
        """Return the newest link that was sent to this approver, or to everybody."""
        mail = self.mails(address(approver) if approver else EVERYBODY)[-1]
        return next(line for line in mail.body.splitlines() if line.startswith(self.base))

    def mails(self, to: str) -> list[Delivered]:
        """Return the mails to an address so far."""
        return self.sns.inboxes[to]

    def received(self) -> list[Delivered]:
        """Return the messages that programs got so far."""
        return self.sns.inboxes[PROGRAM]

    def request(self, url: str, method: str = "GET", now: datetime = NOW, **event: Any) -> Answer:
        """Return the response to a request of the function URL."""
        services = PageServices(self.store, self.signatures, self.tell_run, self.tell_people)
        return respond_to_page_request(url_event(url, method, **event), services, now)[1]

    def post(self, url: str, form: Mapping[str, Any] | str, now: datetime = NOW, **headers: str) -> Answer:
        """Send the form as a browser does."""
        body = form if isinstance(form, str) else urlencode(form, doseq=True)
        return self.request(url, "POST", now, body=body, headers={**FROM_PAGE, **headers})

    def statuses(self, *changes: Change) -> list[Status]:
        """Return the status of each change."""
        return [self.store.change(change.id).status for change in changes]


def address(approver: str) -> str:
    """Return the address of an approver."""
    return f"{approver}@example.com"


def three(office: Asking) -> list[Change]:
    """Propose changes of three kinds."""
    provisioned = office.propose(
        "checkout-api",
        tuner=Tuner.PROVISIONED_CONCURRENCY,
        action="set_provisioned_concurrency",
        before={"environments": 2},
        after={"environments": 5},
        undo={"environments": 2},
        reason="checkout-api: 4.1 % of its calls on weekdays meet a cold start of 2.3 s.",
        risk=Risk.LOW,
        effect=Effect(usd_month=Interval(31.2, 28.0, 34.1), cold_starts_month=Interval(-5200, -6100, -4300)),
    )
    warmups = office.propose(
        "invoice-pdf-renderer-with-a-name-as-long-as-Lambda-lets-a-name-be",
        tuner=Tuner.WARMUPS,
        action="schedule_warmups",
        before={"schedules": 0, "plans": []},
        after={"pings": 42, "most_environments": 3, "usd_day": 0.0021, "schedule": [[0, 1, 42, 3]]},
        undo={"action": "delete_schedules", "schedules": 42},
        reason="Its traffic rises at 08:00 every weekday.",
        risk=Risk.LOW,
        effect=Effect(usd_month=Interval(0.06, 0.06, 0.06)),
    )
    return [office.propose("orders"), provisioned, warmups]


FROM_PAGE = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}


def url_event(
    url: str, method: str, *, body: str = "", headers: Mapping[str, str] | None = None, base64: bool = False
) -> dict[str, Any]:
    """Return an event of a function URL, payload format 2.0."""
    parts = urlsplit(url)
    return {
        "version": "2.0",
        "rawPath": parts.path or "/",
        "rawQueryString": parts.query,
        "headers": dict(headers or {}),
        "requestContext": {
            "domainName": HOST,
            "http": {"method": method, "path": parts.path, "sourceIp": "203.0.113.5", "userAgent": "test"},
        },
        "body": body,
        "isBase64Encoded": base64,
    }


def approve(
    by: str = "Anna Berg", decision: str = "all", reason: str = "", change: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a filled-in form."""
    return {"decision": decision, "by": by, "reason": reason, **({"change": list(change)} if change else {})}


@contextmanager
def asking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    """Yield an approval request's surroundings, emulated."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        dynamodb, kms, sns = boto3.client("dynamodb"), boto3.client("kms"), Topics()
        create_run_table(dynamodb)
        key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        sns.listen(PEOPLE, EVERYBODY)
        sns.listen(PROGRAMS, PROGRAM, protocol="sqs")
        store = RunStore(dynamodb, "optimizer")
        store.record_run("run-1", NOW - timedelta(minutes=5))
        yield Asking(store, LinkSigner(kms, key), sns, boto3.client("events"))
