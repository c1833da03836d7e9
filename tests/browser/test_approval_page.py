"""Test the page in a real browser: responses with the keyboard alone, every refusal, readable by everybody."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from optimizer.core.approval import ApprovalStatus
from optimizer.core.change import Status
from playwright.sync_api import expect

from tests.helpers.asking import HOST, NOW, TWO_OF_THREE, approve, asking, three
from tests.helpers.page_server import PageServer, page_server

pytestmark = pytest.mark.browser


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[PageServer]:
    with asking(monkeypatch) as office, page_server(office) as found:
        yield found


def test_approving_with_the_keyboard_alone(pages: PageServer, window: Any) -> None:
    changes = three(pages.office)
    pages.office.ask(*changes)
    page = window.page
    page.goto(pages.office.link())
    window.comes_to("3 changes wait for your approval")
    window.check("question")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to your response"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.get_by_label("Approve all 3").is_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("Anna Berg")
    page.keyboard.press("Tab")
    page.keyboard.type("Looks right")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    window.comes_to("Your response is recorded")
    window.check("recorded")
    assert pages.office.statuses(*changes) == [Status.APPROVED] * 3
    assert [status for method, status in pages.log if method == "POST"] == [200]


def test_approving_some_changes(pages: PageServer, window: Any) -> None:
    changes = three(pages.office)
    pages.office.ask(*changes)
    page = window.page
    page.goto(pages.office.link())
    page.get_by_text("Evidence and values").first.click()
    page.get_by_label("Approve this one: orders").check()
    page.get_by_label("Approve only the changes ticked above").check()
    page.get_by_label("Your name").fill("Anna Berg")
    window.check("some-filled-in")
    page.get_by_role("button", name="Send the response").click()
    window.comes_to("Your response is recorded")
    assert page.get_by_role("listitem").count() == 3
    window.check("recorded-some")
    assert pages.office.statuses(*changes) == [Status.APPROVED, Status.REJECTED, Status.REJECTED]


def test_rejecting_the_only_change(pages: PageServer, window: Any) -> None:
    orders = pages.office.propose("orders")
    pages.office.ask(orders)
    window.page.goto(pages.office.link())
    window.check("single")
    window.page.get_by_label("Reject it").check()
    window.page.get_by_label("Your name").fill("Anna Berg")
    window.page.get_by_label("Reason (optional)").fill("Not before the sale")
    window.page.keyboard.press("Tab")
    window.page.keyboard.press("Enter")
    window.comes_to("Your response is recorded")
    window.check("rejected")
    assert pages.office.statuses(orders) == [Status.REJECTED]


def test_incomplete_form_says_what_is_missing_and_keeps_input(pages: PageServer, window: Any) -> None:
    changes = three(pages.office)
    pages.office.ask(*changes)
    page = window.page
    page.goto(pages.office.link())
    page.get_by_label("Approve this one: checkout-api").check()
    page.get_by_label("Approve all 3").check()
    page.get_by_label("Reason (optional)").fill('<b>"quoted"</b> & more')
    page.get_by_role("button", name="Send the response").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "ticked 1 of 3: choose one of the two." in alert.inner_text()
    assert "Enter your name." in alert.inner_text()
    # The browser says in its console that the response was refused, which is expected.
    window.errors.clear()
    window.check("incomplete")
    assert page.get_by_label("Reason (optional)").input_value() == '<b>"quoted"</b> & more'
    assert page.get_by_label("Approve all 3").is_checked()
    alert.get_by_role("link", name="Enter your name.").click()
    assert page.evaluate("document.activeElement.id") == "by"
    page.keyboard.type("Anna")
    page.get_by_label("Approve this one: checkout-api").uncheck()
    page.get_by_role("button", name="Send the response").click()
    window.comes_to("Your response is recorded")


def test_two_approvers_respond_with_own_links(pages: PageServer, window: Any) -> None:
    orders = pages.office.propose("orders")
    pages.office.ask(orders, approvals=TWO_OF_THREE)
    for approver, says in (
        ("anna", "The run waits for 1 more response of ben, cleo."),
        ("cleo", "Approved changes are applied now"),
    ):
        window.page.goto(pages.office.link(approver))
        if approver == "cleo":
            window.check("second-approver")
        window.page.get_by_label("Approve it").check()
        window.page.get_by_label("Your name").fill(approver.title())
        window.page.get_by_role("button", name="Send the response").click()
        window.comes_to("Your response is recorded")
        assert says in window.page.inner_text("main")
    assert pages.office.statuses(orders) == [Status.APPROVED]


def altered(link: str) -> str:
    query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    return f"{link.partition('?')[0]}?{urlencode({**query, 'until': '4102444800'})}"


def withdraw(pages: PageServer) -> None:
    asked = pages.office.store.approval("run-1")
    assert asked is not None
    pages.office.store.replace_approval(asked, asked.close(ApprovalStatus.WITHDRAWN, NOW))


def replace_plan(pages: PageServer) -> None:
    asked = pages.office.store.approval("run-1")
    assert asked is not None
    digests = dict.fromkeys(asked.change_digests, "f" * 64)
    pages.office.store.replace_approval(asked, replace(asked, change_digests=digests))


def interrupt(pages: PageServer) -> None:
    pages.office.broken = ConnectionError("gone")
    with pytest.raises(ConnectionError):
        pages.office.post(pages.office.link(), approve())
    pages.office.broken = None


REFUSALS: dict[str, tuple[Any, str]] = {
    "altered": (None, "This link is not valid"),
    "expired": (lambda pages: setattr(pages, "now", NOW + timedelta(hours=24)), "This link has expired"),
    "used": (lambda pages: pages.office.post(pages.office.link(), approve()), "This approval request is closed"),
    "withdrawn": (withdraw, "This approval request was withdrawn"),
    "changed-plan": (replace_plan, "The plan has changed"),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_link_that_does_not_count_says_why(pages: PageServer, window: Any, why: str) -> None:
    pages.office.ask(pages.office.propose("orders"))
    link = pages.office.link()
    prepare, heading = REFUSALS[why]
    if prepare:
        prepare(pages)
    window.page.goto(altered(link) if why == "altered" else link)
    window.comes_to(heading)
    assert window.page.get_by_role("button").count() == 0
    window.errors.clear()
    window.check(why)


def test_page_says_that_somebody_else_has_responded(pages: PageServer, window: Any) -> None:
    orders = pages.office.propose("orders")
    pages.office.ask(orders)
    window.page.goto(pages.office.link())
    pages.office.post(pages.office.link(), approve("Ben", "none"))
    window.page.get_by_label("Approve it").check()
    window.page.get_by_label("Your name").fill("Anna")
    window.page.get_by_role("button", name="Send the response").click()
    window.comes_to("This approval request is closed")
    assert "Your response changed nothing." in window.page.inner_text("main")
    assert pages.office.statuses(orders) == [Status.REJECTED]


def test_interrupted_response_is_finished_with_one_button(pages: PageServer, window: Any) -> None:
    orders = pages.office.propose("orders")
    pages.office.ask(orders)
    interrupt(pages)
    window.page.goto(pages.office.link())
    window.errors.clear()
    window.check("interrupted")
    pages.now = NOW + timedelta(minutes=2)
    window.page.get_by_role("button", name="Tell the run").click()
    window.comes_to("This approval request is closed")
    expect(window.page.get_by_role("button")).to_have_count(0)
    assert len(pages.office.told) == 1


def test_form_on_another_site_cannot_respond(pages: PageServer, window: Any) -> None:
    """Even one that knows the link: the browser says where the form was."""
    orders = pages.office.propose("orders")
    pages.office.ask(orders)
    form = '<form method="post" action="{}"><input name="decision" value="all"><input name="by" value="x"><button>go'
    link = pages.office.link()
    body = form.format(link.replace("&", "&amp;"))
    window.page.route("http://localhost:1/**", lambda route: route.fulfill(body=body, content_type="text/html"))
    window.page.goto("http://localhost:1/")
    window.page.get_by_role("button").click()
    window.comes_to("This request is not valid")
    assert pages.office.statuses(orders) == [Status.AWAITING_APPROVAL]


def test_browser_without_sec_fetch_site_responds_by_its_origin(monkeypatch: pytest.MonkeyPatch, window: Any) -> None:
    """The page has its real address here. Answering in the browser's place leaves out what its network layer adds."""
    sent: list[dict[str, str]] = []

    def answer(route: Any) -> None:
        request = route.request
        headers = {name.lower(): value for name, value in request.headers.items()}
        if request.method == "POST":
            sent.append(headers)
        page = office.request(request.url, request.method, body=request.post_data or "", headers=headers)
        route.fulfill(status=page["statusCode"], headers=page["headers"], body=page["body"])

    with asking(monkeypatch) as office:
        orders = office.propose("orders")
        office.ask(orders)
        window.page.route(f"https://{HOST}/**", answer)
        window.page.goto(office.link())
        window.page.get_by_label("Approve it").check()
        window.page.get_by_label("Your name").fill("Anna Berg")
        window.page.get_by_role("button", name="Send the response").click()
        window.comes_to("Your response is recorded")
        assert [(headers.get("sec-fetch-site"), headers.get("origin")) for headers in sent] == [
            (None, f"https://{HOST}")
        ]
        assert office.statuses(orders) == [Status.APPROVED]
