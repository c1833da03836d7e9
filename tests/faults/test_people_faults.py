"""Let every call to AWS for approval requests, responses and reports in a browser go wrong once, in every way.

A repeated request finds everything as if nothing had happened.
"""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from optimizer.aws import LinkSigner, clients
from optimizer.core import canonical_json
from optimizer.core.change import Change, Risk, Status, Tuner
from optimizer.report.links import ReportLink, signed_url

from tests.helpers.asking import FROM_PAGE, url_event
from tests.helpers.faults.lives import RUN
from tests.helpers.faults.stage import NOW, Stage, Step

DIGEST = "d" * 64
APPROVERS = ("anna", "ben")
POLICY = {"version": 1, "approvals": {"approvers": [{"name": "anna"}, {"name": "ben"}], "needed": 2}}
# A recorded response reaches the run a minute later if the Lambda that was to pass it on may have died.
LATER = timedelta(seconds=61)


def change(name: str) -> Change:
    return Change(
        run_id=RUN,
        tuner=Tuner.MEMORY,
        action="set_memory",
        target=f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
        before={"memory_mb": 512, "version": "3"},
        after={"memory_mb": 768},
        reason="It is faster.",
        undo={"memory_mb": 512},
        risk=Risk.MEDIUM,
        evidence={"max_memory_used_mb": 301.25, "samples": 48211, "price_ratio": 0.91},
    )


CHANGES = (change("orders"), change("bills"))
ASK = Step(
    "request_approval",
    {
        "step": "ask",
        "run_id": RUN,
        "plan_key": f"runs/{RUN}/plan.json",
        "digest": DIGEST,
        "ask": [{"change_id": one.id, "tuner": one.tuner.value} for one in CHANGES],
        "task_token": "token",
        "timeout_s": 86400,
    },
)
EXPIRE = Step("request_approval", {"step": "expire", "run_id": RUN})
SHOW = Step("answer_approval", {"step": "show", "run_id": RUN})


def says(approver: str) -> Step:
    """Return a response that approves one change and rejects the other."""
    event = {"step": "answer", "run_id": RUN, "digest": DIGEST, "approver": approver, "by": "A. Berg"}
    return Step("answer_approval", event | {"approved": [CHANGES[0].id]}, again_after=LATER, once=True)


@pytest.fixture
def asking(staged: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Provide a stage with a run with two changes that wait for two people."""
    key = boto3.client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    for name in ("APPROVAL", "REPORT"):
        monkeypatch.setenv(f"OPTIMIZER_{name}_KEY", key)
        monkeypatch.setenv(f"OPTIMIZER_{name}_URL", "https://abc.lambda-url.eu-west-1.on.aws/")
    staged.world["key"] = key
    staged.documents.write(f"runs/{RUN}/policy.json", canonical_json.plain(POLICY))
    staged.store.record_run(RUN, NOW)
    for one in CHANGES:
        staged.store.record_change(one, Status.AWAITING_APPROVAL, NOW)
    staged.services.waiting["token"] = None
    return staged


def links(asking: Stage) -> dict[str, str]:
    """Return the link of each approver, from the newest message on the approver's topic."""
    found = {message["TopicArn"].rpartition("_")[2]: message["Message"] for message in asking.services.messages}
    return {name: text[text.index("https://") :].split()[0] for name, text in found.items() if name in APPROVERS}


def statuses(asking: Stage) -> list[Status]:
    return [asking.store.change(one.id).status for one in CHANGES]


def told(asking: Stage) -> Any:
    return json.loads(asking.services.waiting["token"] or "null")


def test_approval_request_without_a_response(asking: Stage) -> None:
    asking.every_fault(ASK)
    assert set(links(asking)) == {"anna", "ben"}
    asking.every_fault(SHOW)
    asking.every_fault(EXPIRE)
    assert statuses(asking) == [Status.REJECTED] * 2
    asking.every_fault(ASK)
    assert [pair["change_id"] for pair in told(asking)["rejected"]] == sorted(one.id for one in CHANGES)


def test_responses_of_callers_with_rights(asking: Stage) -> None:
    asking.run(ASK)
    asking.services.messages.clear()
    asking.every_fault(says("anna"))
    asking.every_fault(says("ben"))
    assert statuses(asking) == [Status.APPROVED, Status.REJECTED]
    assert [pair["change_id"] for pair in told(asking)["approved"]] == [CHANGES[0].id]
    asking.every_fault(ASK)


@pytest.mark.parametrize("approver", ["anna", "ben"])
def test_responses_with_a_link(asking: Stage, approver: str) -> None:
    asking.run(ASK)
    if approver == "ben":
        asking.run(says("anna"))
    link = links(asking)[approver]
    asking.services.messages.clear()

    page: dict[str, Any] = {
        "reported": lambda answer: answer["statusCode"] == 500,
        # A page shows the time of the response.
        "counts": lambda answer: answer["statusCode"],
        "again_after": LATER,
    }
    for method in ("GET", "HEAD"):
        asking.every_fault(Step("answer_approval", url_event(link, method), **page))
    form = urlencode({"decision": "some", "by": "B. Holm", "change": CHANGES[0].id, "reason": ""})
    post = url_event(link, "POST", body=form, headers=FROM_PAGE)
    asking.every_fault(Step("answer_approval", post, **page, once=True))
    assert statuses(asking) == (
        [Status.AWAITING_APPROVAL] * 2 if approver == "anna" else [Status.APPROVED, Status.REJECTED]
    )


def test_a_report_is_shown(asking: Stage) -> None:
    asking.documents.write_bytes(
        f"runs/{RUN}/report/index.html", b"<!doctype html><title>a report</title>", "text/html"
    )
    link = ReportLink(RUN, int((NOW + timedelta(days=1)).timestamp()))
    signature = LinkSigner(clients.client("kms"), asking.world["key"]).sign(link)
    url = signed_url("https://reports.example/", link, signature)
    event = {"rawPath": url.removeprefix("https://reports.example"), "requestContext": {"http": {"method": "GET"}}}
    assert asking.every_fault(Step("show_report", event))["statusCode"] == 200
