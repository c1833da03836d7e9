"""People read a timetable in words, in messages, requests and pages."""

from optimizer.approvals.describe import value
from optimizer.capacity.provisioned.timetable import Timetable
from optimizer.core.change import Change, Risk, Status, StoredChange, Tuner
from optimizer.report.describe import change_phrase
from optimizer.report.pages import target_page
from optimizer.report.resource_document import function_document

from tests.helpers.rates import PRICED
from tests.helpers.report_samples import traffic

OFFICE = Timetable.of_hours([3 if h // 24 < 5 and 8 <= h % 24 < 18 else 0 for h in range(168)], "Europe/Berlin")
WORDS = "3 provisioned from 08:00 to 18:00 on weekdays, Europe/Berlin"
CHANGE = Change(
    run_id="run",
    tuner=Tuner.PROVISIONED_CONCURRENCY,
    action="schedule_provisioned_concurrency",
    target="arn:aws:lambda:eu-west-1:123456789012:function:orders",
    before={"environments": 0},
    after={"environments": 3, "floor": 0, "timetable": OFFICE.document()},
    reason=f"{WORDS}: busy 91% of that time",
    undo={"environments": 0},
    risk=Risk.LOW,
    evidence={"usd_month": 10.0, "usd_month_before": 0.0, "utilisation": 0.9, **PRICED},
)


def test_message_shows_the_timetable_in_words() -> None:
    assert change_phrase(CHANGE) == f"provisioned concurrency, 0 environments at all times -> {WORDS}"


def test_approval_request_shows_the_timetable_in_words() -> None:
    assert value(CHANGE.after["timetable"]) == WORDS


def test_function_page_shows_the_timetable_in_words() -> None:
    stored = StoredChange(CHANGE, Status.WATCHING, {}, "", "", "", {})
    page = target_page(function_document("run", "orders", *traffic(), [stored], [], []))
    assert f"at most: {WORDS}" in page
    assert "proposed" in page
