"""Attacks on the function URL: none changes anything, and none reveals anything."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import boto3
import pytest
from optimizer.approvals import PageServices, respond_to_page_request
from optimizer.approvals.http_request import LARGEST_BODY
from optimizer.approvals.links import ApprovalLink
from optimizer.core.approval import Approval, ApprovalStatus
from optimizer.core.change import Change, Risk, Status
from optimizer.store.table import ItemTable

from tests.helpers.asking import DIGEST, FROM_PAGE, HOST, NOW, TOKEN, TWO_OF_THREE, Asking, approve, asking, url_event
from tests.helpers.own_account import load_handler

CSP = "default-src 'none'; style-src 'sha256-"
PEOPLE = ("anna", "ben", "cleo", "mallory")
RESULTS = ("orders", "run-1", "fine by me", "approved", "rejected", "withdrawn", DIGEST)


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    with asking(monkeypatch) as found:
        yield found


@pytest.fixture
def asked(office: Asking) -> Change:
    """A change with an approval request to everybody."""
    change = office.propose("orders")
    office.ask(change)
    return change


def changed(url: str, **parameters: str) -> str:
    """The address with other parameters."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return f"https://{HOST}/?{urlencode({**query, **parameters})}"


def untouched(office: Asking, change: Change) -> bool:
    """Return whether the approval request is as if nobody had come."""
    asked = office.store.approval("run-1")
    assert asked is not None
    waiting = office.statuses(change) == [Status.AWAITING_APPROVAL]
    return waiting and office.told == [] and asked.votes == () and asked.status is ApprovalStatus.PENDING


def harmless(answer: dict[str, Any]) -> None:
    """An answer that tells nothing and that no browser would run anything of."""
    assert TOKEN not in json.dumps(answer)
    assert "Traceback" not in answer["body"]
    assert 'File "' not in answer["body"]
    headers = answer["headers"]
    assert headers["Content-Security-Policy"].startswith(CSP)
    assert "script-src" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Robots-Tag"].startswith("noindex")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_mail_scanner_that_opens_the_link_changes_nothing(office: Asking, asked: Change, method: str) -> None:
    for _ in range(20):
        answer = office.request(office.link(), method)
        harmless(answer)
    assert answer["statusCode"] == (204 if method == "OPTIONS" else 200)
    assert bool(answer["body"]) is (method == "GET")
    assert untouched(office, asked)
    assert office.post(office.link(), approve())["statusCode"] == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "QUERY"])
def test_other_methods_are_not_allowed(office: Asking, asked: Change, method: str) -> None:
    answer = office.request(office.link(), method, body=urlencode(approve()), headers=FROM_PAGE)
    harmless(answer)
    assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert untouched(office, asked)


def test_response_that_is_sent_again_counts_once(office: Asking, asked: Change) -> None:
    assert office.post(office.link(), approve())["statusCode"] == 200
    for decision in ("all", "none"):
        replayed = office.post(office.link(), approve("Mallory", decision))
        harmless(replayed)
        assert replayed["statusCode"] == 409
        assert "Anna Berg responded on" in replayed["body"]
        assert "Mallory" not in replayed["body"]
    assert len(office.told) == 1
    assert office.statuses(asked) == [Status.APPROVED]


@pytest.mark.parametrize(
    "parameters",
    [
        {"digest": "e" * 64},
        {"run": "run-2"},
        {"approver": "ben"},
        {"until": "4102444800"},
        {"mac": "A" * 43},
        {"mac": ""},
        {"digest": DIGEST[:-1]},
        {"mac": "A" * 10_000},
    ],
)
def test_altered_link_is_not_valid(office: Asking, asked: Change, parameters: dict[str, str]) -> None:
    url = changed(office.link(), **parameters)
    for answer in (office.request(url), office.post(url, approve())):
        harmless(answer)
        assert answer["statusCode"] in (403, 414)
        assert "orders" not in answer["body"]
    assert untouched(office, asked)


def test_repeated_parameter_makes_the_link_invalid(office: Asking, asked: Change) -> None:
    assert office.request(f"{office.link()}&approver=ben")["statusCode"] == 403
    assert untouched(office, asked)


def test_guesses_do_not_reveal_which_runs_exist(office: Asking, asked: Change) -> None:
    guesses = [changed(office.link(), run=run, mac="B" * 43) for run in ("run-1", "run-2", asked.id, "RUN#run-1", "..")]
    answers = [office.request(url) for url in guesses]
    assert {(answer["statusCode"], answer["body"]) for answer in answers} == {(403, answers[0]["body"])}


def test_signature_of_another_key_is_not_valid(office: Asking, asked: Change) -> None:
    kms = boto3.client("kms")
    other = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    link = ApprovalLink("run-1", "anyone", NOW + timedelta(hours=24), DIGEST)
    forged = kms.generate_mac(KeyId=other, Message=link.signed_bytes(), MacAlgorithm="HMAC_SHA_256")["Mac"]
    assert office.post(link.url(office.base, forged), approve())["statusCode"] == 403
    assert untouched(office, asked)


def test_link_responds_only_for_its_own_approver(office: Asking) -> None:
    orders = office.propose("orders")
    office.ask(orders, approvals=TWO_OF_THREE)
    of_anna = office.link("anna")
    signature = parse_qs(urlsplit(office.link("ben")).query)["mac"][0]
    for url in (changed(of_anna, approver="ben"), changed(of_anna, mac=signature)):
        assert office.post(url, approve())["statusCode"] == 403
    office.post(of_anna, approve())
    office.post(of_anna, approve("Ben"))
    asked = office.store.approval("run-1")
    assert asked is not None
    assert [vote.approver for vote in asked.votes] == ["anna"]
    assert office.told == []


def test_link_of_a_former_approver_is_withdrawn(office: Asking, asked: Change) -> None:
    link = ApprovalLink("run-1", "dora", NOW + timedelta(hours=24), DIGEST)
    answer = office.post(link.url(office.base, office.signatures.sign(link)), approve())
    assert (answer["statusCode"], "withdrawn" in answer["body"]) == (410, True)
    assert untouched(office, asked)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_expired_link_says_so_and_does_nothing(office: Asking, asked: Change, method: str) -> None:
    late = NOW + timedelta(hours=24)
    answer = office.request(office.link(), method, late, body=urlencode(approve()), headers=FROM_PAGE)
    harmless(answer)
    assert (answer["statusCode"], "This link has expired" in answer["body"]) == (410, True)
    assert "Tue 3 Nov 2026, 10:00 Europe/Berlin" in answer["body"]
    assert untouched(office, asked)


def answered(office: Asking, _change: Change) -> None:
    assert office.post(office.link("anna"), approve(reason="fine by me"))["statusCode"] == 200
    assert office.post(office.link("ben"), approve("Ben"))["statusCode"] == 200


def answered_in_part(office: Asking, _change: Change) -> None:
    assert office.post(office.link("anna"), approve(reason="fine by me"))["statusCode"] == 200


def closed(status: ApprovalStatus) -> Callable[[Asking, Change], None]:
    def close(office: Asking, _change: Change) -> None:
        approval = office.store.approval("run-1")
        assert approval is not None
        assert office.store.replace_approval(approval, approval.close(status, NOW))

    return close


def interrupted(office: Asking, _change: Change) -> None:
    """Record all responses without telling the run."""
    office.post(office.link("anna"), approve(reason="fine by me"))
    office.broken = ConnectionError("gone")
    with pytest.raises(ConnectionError):
        office.post(office.link("ben"), approve("Ben"))
    office.broken = None


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "prepare",
    [
        lambda *_: None,
        answered,
        answered_in_part,
        interrupted,
        closed(ApprovalStatus.WITHDRAWN),
        closed(ApprovalStatus.EXPIRED),
    ],
    ids=["open", "answered", "answered in part", "interrupted", "withdrawn", "expired"],
)
def test_link_shows_after_its_end_only_that_it_has_expired(
    office: Asking, prepare: Callable[[Asking, Change], None], method: str
) -> None:
    change = office.propose("orders")
    office.ask(change, approvals=TWO_OF_THREE)
    prepare(office, change)
    end = NOW + timedelta(hours=24)
    pages = [
        office.request(office.link(name), method, end + after, body=urlencode(approve("Mallory")), headers=FROM_PAGE)
        for after in (timedelta(0), timedelta(seconds=1), timedelta(days=1.5), timedelta(days=3650))
        for name in ("anna", "ben")
    ]
    for page in pages:
        harmless(page)
        assert (page["statusCode"], page["body"]) == (410, pages[0]["body"])
        assert "This link has expired" in page["body"]
        shown = page["body"].partition("<main")[2].casefold()
        assert shown
        assert [word for word in (*PEOPLE, *RESULTS) if word in shown] == []


@pytest.mark.parametrize("prepare", [answered, answered_in_part, interrupted])
def test_link_shows_the_responses_until_its_end(office: Asking, prepare: Callable[[Asking, Change], None]) -> None:
    change = office.propose("orders")
    office.ask(change, approvals=TWO_OF_THREE)
    prepare(office, change)
    page = office.request(office.link("anna"), now=NOW + timedelta(hours=24, seconds=-1))
    assert page["statusCode"] == 409
    assert "Anna Berg" in page["body"]
    assert "fine by me" in page["body"]


def test_link_of_an_earlier_request_points_to_the_newer_message(office: Asking) -> None:
    orders = office.propose("orders")
    office.ask(orders, approvals=TWO_OF_THREE)
    old = [office.link(name) for name in ("anna", "ben")]
    office.post(old[0], approve())
    office.ask(orders, approvals=TWO_OF_THREE, now=NOW + timedelta(hours=1), token="token-2")
    of_anna, of_ben = (office.request(url, now=NOW + timedelta(hours=24)) for url in old)
    assert [of_anna["statusCode"], of_ben["statusCode"]] == [410, 410]
    assert "A newer message has a newer link." in of_ben["body"]
    # No newer message goes to an approver who has responded.
    assert "newer" not in of_anna["body"]
    assert "Anna Berg" not in of_anna["body"]


@pytest.mark.usefixtures("asked")
def test_changes_outside_the_request_are_not_approved(office: Asking) -> None:
    question = office.store.approval("run-1")
    assert question is not None
    other = office.propose("carts")
    document = {**question.change_digests, other.id: other.digest}
    office.store.replace_approval(question, replace(question, change_digests=document))
    answer = office.post(office.link(), approve())
    assert (answer["statusCode"], "The plan has changed" in answer["body"]) == (409, True)
    assert office.told == []


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site", "origin": f"https://{HOST}"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"https://{HOST}.evil.example"},
        {"origin": f"http://{HOST}"},
        {"origin": f"https://{HOST}:8443"},
        {"origin": f"https://{HOST}/"},
        {"origin": f"https://{HOST} https://evil.example"},
        {"origin": ""},
        {"origin": "null", "referer": f"https://{HOST}/"},
        {"referer": f"https://{HOST}/"},
        {"sec-fetch-site": "", "origin": f"https://{HOST}"},
        {},
    ],
)
def test_response_from_another_origin_does_not_count(office: Asking, asked: Change, headers: dict[str, str]) -> None:
    sent = {"content-type": FROM_PAGE["content-type"], **headers}
    answer = office.request(office.link(), "POST", body=urlencode(approve()), headers=sent)
    harmless(answer)
    assert answer["statusCode"] == 403
    assert untouched(office, asked)


def origin_of_form_on(page: dict[str, Any]) -> str:
    """Return the Origin that a browser sends with a form of the page to the page's own address.

    Fetch standard, "append a request Origin header": only under this referrer policy the origin is hidden from itself.
    """
    return "null" if page["headers"]["Referrer-Policy"] == "no-referrer" else f"https://{HOST}"


def test_older_browser_is_recognised_by_its_origin(office: Asking, asked: Change) -> None:
    origin = origin_of_form_on(office.request(office.link()))
    sent = {"content-type": FROM_PAGE["content-type"], "origin": origin}
    body = base64.b64encode(urlencode(approve()).encode()).decode()
    answer = office.request(office.link(), "POST", body=body, base64=True, headers=sent)
    assert answer["statusCode"] == 200
    assert office.statuses(asked) == [Status.APPROVED]


HTML = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&{style}{0}"


def test_html_in_names_reasons_and_values_is_text(office: Asking) -> None:
    asked = office.propose(
        "orders",
        target=f"arn:aws:lambda:eu-west-1:123456789012:function:{HTML}",
        reason=f"It is tagged {HTML}.",
        before={"memory_mb": 512, HTML: HTML},
        after={"memory_mb": 768, "schedule": [HTML]},
        undo={HTML: HTML},
        evidence={HTML: HTML, "deep": {"er": [HTML]}},
        risk=Risk.HIGH,
    )
    other = office.propose("carts")
    office.ask(asked, other)
    pages = [
        office.request(office.link()),
        office.post(office.link(), approve(HTML, "", HTML, [HTML])),
        office.post(office.link(), approve(HTML, "some", HTML, [asked.id])),
        office.request(office.link()),
    ]
    assert [page["statusCode"] for page in pages] == [200, 422, 200, 409]
    for page in pages:
        harmless(page)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page["body"]
        assert "<script" not in page["body"]
        assert "<img" not in page["body"]
        assert "\"'&{" not in page["body"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("by=" + "x" * LARGEST_BODY, 413),
        ("by=" + "x" * 6_000_000, 413),
        ("&".join(f"a{n}=1" for n in range(2000)), 413),
        ("decision=all&by=" + "x" * 81, 422),
        ("decision=all&by=Anna&reason=" + "x" * 501, 422),
        ("decision=all&by=%ff%fe%00", 200),
        ("decision=all", 422),
        ("decision=all&by=+++", 422),
        ("decision=perhaps&by=Anna", 422),
        ("decision=some&by=Anna", 422),
        ("decision=some&by=Anna&change=memory-9", 422),
        ("", 422),
    ],
)
def test_body_that_is_no_valid_response_is_not_accepted(office: Asking, asked: Change, body: str, status: int) -> None:
    answer = office.post(office.link(), body)
    harmless(answer)
    assert answer["statusCode"] == status
    assert len(answer["body"]) < 20_000
    assert untouched(office, asked) is (status != 200)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_body_that_is_no_form_is_not_accepted(office: Asking, asked: Change, kind: str) -> None:
    assert office.post(office.link(), urlencode(approve()), **{"content-type": kind})["statusCode"] == 415
    assert untouched(office, asked)


def test_body_that_is_no_base64_is_not_accepted(office: Asking, asked: Change) -> None:
    answer = office.request(office.link(), "POST", body="%%%", base64=True, headers=FROM_PAGE)
    assert answer["statusCode"] == 400
    assert untouched(office, asked)


@pytest.mark.parametrize("path", ["/favicon.ico", "/robots.txt", "/admin", "//", "/../", "/?/"])
def test_no_other_path_exists(office: Asking, asked: Change, path: str) -> None:
    answer = office.request(f"https://{HOST}{path}")
    harmless(answer)
    assert answer["statusCode"] in (403, 404)
    assert untouched(office, asked)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, office: Asking) -> ModuleType:
    """The handler itself, with what the office uses in the places of its clients."""
    for name in ("TABLE", "BUCKET", "TOPIC_ARN", "POLICY_KEY"):
        monkeypatch.setenv(f"OPTIMIZER_{name}", "x")
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "CRITICAL")
    module = load_handler("answer_approval")
    monkeypatch.setattr(module, "STORE", office.store)
    monkeypatch.setattr(module, "SIGNATURES", office.signatures)
    monkeypatch.setattr(module, "TELL_RUN", office.tell_run)
    return module


def test_failure_page_reveals_nothing(app: ModuleType, office: Asking, asked: Change, monkeypatch: Any) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError(f"the secret is {TOKEN}")

    monkeypatch.setattr(office.store, "approval", broken)
    answer = app.handler(url_event(office.link(), "GET"), None)
    harmless(answer)
    assert (answer["statusCode"], "secret" in answer["body"]) == (500, False)
    monkeypatch.undo()
    assert untouched(office, asked)


def test_request_cannot_look_like_a_direct_call(app: ModuleType, office: Asking, asked: Change) -> None:
    direct = {
        "step": "answer",
        "run_id": "run-1",
        "digest": DIGEST,
        "approver": "anyone",
        "by": "Mallory",
        "approved": [asked.id],
    }
    event = {**url_event(office.base, "POST", body=json.dumps(direct), headers=FROM_PAGE), **direct}
    assert app.handler(event, None)["statusCode"] == 403
    assert untouched(office, asked)


def test_flood_of_requests_changes_nothing(app: ModuleType, office: Asking, asked: Change) -> None:
    """More than a thousand requests a second reach the handler; only a request that knows the digest costs a call
    of KMS, and junk costs a read of the table at most."""
    good = office.link()
    kinds: list[Callable[[int], dict[str, Any]]] = [
        lambda n: url_event(changed(good, mac=base64.urlsafe_b64encode(n.to_bytes(32)).decode()[:43]), "GET"),
        lambda n: url_event(changed(good, run=f"guess-{n}"), "POST", body=urlencode(approve()), headers=FROM_PAGE),
        lambda n: url_event(f"https://{HOST}/{n}", "GET"),
        lambda n: url_event(f"https://{HOST}/?run={n}", "HEAD"),
        lambda _: url_event(good, "POST", body=urlencode(approve()), headers={"origin": "https://evil.example"}),
        lambda _: url_event(good, "OPTIONS"),
        lambda _: url_event(good, "DELETE"),
        lambda _: url_event(good, "POST", body="x" * LARGEST_BODY * 2, headers=FROM_PAGE),
    ]
    events = [kinds[n % len(kinds)](n) for n in range(2000)]
    local = Local(good, {"run-1": office.store.approval("run-1")})
    app.SIGNATURES = app.STORE = local  # type: ignore[attr-defined]
    began = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda event: app.handler(event, None), events))
    took_s = time.perf_counter() - began
    for answer in answers:
        harmless(answer)
        assert answer["statusCode"] in (204, 403, 404, 405, 413)
    assert (local.asked, local.read) == (250, 500)
    assert untouched(office, asked)
    assert len(events) / took_s > 1000


class Local:
    """A verifier and a table in this process: how fast KMS and DynamoDB answer is not what is measured."""

    def __init__(self, good: str, approvals: Mapping[str, Approval | None]) -> None:
        self.good, self.approvals = good, approvals
        self.asked = self.read = 0

    def approval(self, run_id: str) -> Approval | None:
        self.read += 1
        return self.approvals.get(run_id)

    def is_valid(self, link: ApprovalLink, signature: bytes) -> bool:
        self.asked += 1
        return link.url(f"https://{HOST}/", signature) == self.good


def test_one_of_many_concurrent_responses_counts(
    app: ModuleType, office: Asking, asked: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_write, send = threading.Lock(), ItemTable._send

    def atomic(*arguments: Any, **options: Any) -> None:
        # As on AWS: the emulated table looks at a condition and writes in two steps that others can come between.
        with one_write:
            send(*arguments, **options)

    monkeypatch.setattr(ItemTable, "_send", atomic)
    event = url_event(office.link(), "POST", body=urlencode(approve()), headers=FROM_PAGE)
    monkeypatch.setattr(app, "respond_to_page_request", _respond_now)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: app.handler(event, None), range(24)))
    assert len(office.told) == 1
    assert sorted({answer["statusCode"] for answer in answers}) == [200, 409]
    assert sum(answer["statusCode"] == 200 for answer in answers) == 1
    assert office.statuses(asked) == [Status.APPROVED]


def _respond_now(event: dict[str, Any], services: PageServices, _now: datetime) -> Any:
    """Respond at the time of the request."""
    return respond_to_page_request(event, services, NOW.astimezone(UTC))
