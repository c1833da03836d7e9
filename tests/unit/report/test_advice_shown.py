"""Advice in the text, on the pages and in the mails of runs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from optimizer.advice import Advice, Subject
from optimizer.core import canonical_json
from optimizer.report.advice_lines import AdviceLine, advice_lines
from optimizer.report.details import run_details
from optimizer.report.digest import compose_mail
from optimizer.report.news import Told
from optimizer.report.pages import run_page, target_page
from optimizer.report.resource_document import function_document
from optimizer.report.summary import Report, summarise
from optimizer.report.text import body, subject

from tests.unit.report.test_digest_calendar import DAY, HOUR, MONDAY, Memory

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:"
NOW = datetime(2026, 11, 16, 4, tzinfo=UTC)


def given(name: str = "orders", deploy: str = "12") -> list[AdviceLine]:
    advice = Advice(Subject.ERRORS, "3% of 84,000 calls failed.", "Likely cause: it.", "Look at it.", deploy=deploy)
    return advice_lines(f"{ARN}{name}", [canonical_json.plain(advice)])


def report(*lines: AdviceLine, at: datetime = NOW, run_id: str = "one") -> Report:
    return summarise({"run_id": run_id, "started_at": at, "targets": 3}, [], [], {}, at, advice=lines)


def test_text_has_the_advice_and_the_subject_its_number() -> None:
    shown = report(*given(), *given("stock"))
    text = " ".join(body(shown).split())
    assert "Advice (it changes nothing): 2" in text
    assert "- orders, errors: 3% of 84,000 calls failed. Likely cause: it. Look at it." in text
    assert subject(shown) == "Optimizer: nothing to change, advice on 2 functions (3 functions checked)"


def test_healthy_run_says_nothing_of_advice() -> None:
    assert "dvice" not in body(report()) + subject(report()) + run_page(report())


def test_pages_show_the_advice() -> None:
    page = run_page(report(*given()))
    assert '<a href="functions/orders.html">orders</a>' in page
    assert "Likely cause: it. Look at it." in page
    document = canonical_json.plain(function_document("one", "orders", None, None, [], [], [], given()))
    assert "3% of 84,000 calls failed." in target_page(document)
    assert "Advice" not in target_page(canonical_json.plain(function_document("one", "orders", None, None, [], [], [])))


def test_programs_get_number_and_advice() -> None:
    details = run_details(report(*given()))
    assert details["advice_given"] == 1
    assert details["advice"][0] | {"target": "orders", "subject": "errors", "deploy": "12"} == details["advice"][0]


def test_stored_report_keeps_its_advice() -> None:
    shown = report(*given())
    assert canonical_json.read(Report, canonical_json.plain(shown)).advice == shown.advice


def test_report_of_an_earlier_release_has_no_advice() -> None:
    document = canonical_json.plain(report())
    del document["advice"]
    assert canonical_json.read(Report, document).advice == ()


def mail(office: Memory, at: datetime, *lines: AdviceLine, reason: str = "daily") -> str:
    run = {"run_id": f"{reason}-{at:%m-%d-%H}", "started_at": at, "targets": 3, "request": {"reason": reason}}
    shown = report(*lines, at=at, run_id=str(run["run_id"]))
    made = compose_mail(office, office, run, shown, [], None, at)  # type: ignore[arg-type]
    office.told = made.told
    return " ".join(made.text.split()) if made.is_due else ""


def test_advice_is_mailed_once_until_another_deploy() -> None:
    office = Memory()
    assert "orders, errors: 3%" in mail(office, MONDAY, *given())
    assert mail(office, MONDAY + DAY, *given()) == ""
    assert "orders, errors: 3%" in mail(office, MONDAY + 2 * DAY, *given(deploy="13"))
    again = mail(office, MONDAY + 3 * DAY, *given(deploy="13"), *given("stock"))
    assert "stock, errors" in again
    assert "orders, errors" not in again
    assert "Advice of earlier messages that still holds: 1." in again


def test_advice_waits_for_the_mail_of_the_next_day() -> None:
    office = Memory()
    assert mail(office, MONDAY, *given("stock"))
    assert mail(office, MONDAY + HOUR, *given()) == ""
    # The next run looks at no function.
    assert "orders, errors: 3%" in mail(office, MONDAY + DAY, reason="schedule of warm-ups")


def test_advice_that_is_long_gone_is_news_again() -> None:
    office = Memory()
    mail(office, MONDAY, *given())
    mail(office, MONDAY + timedelta(days=41))
    assert "orders, errors: 3%" in mail(office, MONDAY + timedelta(days=42), *given())


@pytest.mark.parametrize("field", ["advice", "unread_advice"])
def test_record_of_an_earlier_release_is_read(field: str) -> None:
    document: dict[str, Any] = canonical_json.plain(Told(mailed_at=MONDAY).document())
    del document[field]
    assert Told.from_document(document) == Told(mailed_at=MONDAY)
