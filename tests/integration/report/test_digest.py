"""People get what is new once a day at the most, and at once what needs them; programs get everything."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from optimizer.core import Change, Effect, Interval, Risk, Status, Tuner, canonical_json
from optimizer.report import publish_change, publish_run
from optimizer.report.news import SCHEDULED
from optimizer.report.publish import Channels
from optimizer.store import Documents, RunStore
from shipped_template import of_type

from tests.helpers.own_account import BUCKET, TABLE, own_account
from tests.helpers.topics import PEOPLE, PROGRAMS, Delivered, Topics

MONDAY = datetime(2026, 11, 30, 4, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAILY, WEEKLY, WARMUPS = "daily", "weekly", "schedule of warm-ups"


@dataclass
class Office:
    """The store, the documents and the mailbox of a team."""

    store: RunStore
    documents: Documents
    sns: Topics = field(default_factory=Topics)

    def __post_init__(self) -> None:
        self.sns.listen(PEOPLE, "team")
        self.sns.listen(PROGRAMS, "program", protocol="sqs")

    @property
    def channels(self) -> Channels:
        return Channels(self.sns, boto3.client("events"), PEOPLE, PROGRAMS)  # type: ignore[arg-type]

    def run(
        self,
        at: datetime,
        *changes: tuple[Change, Status],
        reason: str = DAILY,
        checked: Sequence[tuple[str, Tuner]] = (),
        failed: dict[str, str] | None = None,
        notes: Sequence[dict[str, str]] = (),
        time_zone: str = "UTC",
    ) -> list[Delivered]:
        """Report a run with these changes; return the mails that it sent."""
        run_id, before = f"{reason.replace(' ', '-')}-{at:%d-%H%M}", len(self.sns.inboxes["team"])
        self.store.record_run(run_id, at, targets=3, request={"reason": reason})
        self.documents.write(f"runs/{run_id}/policy.json", canonical_json.plain({"time_zone": time_zone}))
        for change, status in changes:
            self.store.record_change(of_run(change, run_id), status, at)
        no_changes = [
            {"target": arn(name), "tuner": tuner.value, "reason": "No change needed.", "evidence": {}}
            for name, tuner in checked
        ]
        found = {"changes": [], "no_changes": no_changes, "failed": failed or {}}
        self.documents.write(f"runs/{run_id}/proposals/capacity-0000.json", found)
        for _ in range(2):
            # Lambda may deliver an event twice.
            publish_run(self.store, self.documents, self.channels, run_id, notes, at)
        return self.sns.inboxes["team"][before:]

    def end(self, change: Change, at: datetime, status: Status, run_id: str) -> list[Delivered]:
        """End a change under observation and publish its outcome; return the mails."""
        before, own = len(self.sns.inboxes["team"]), of_run(change, run_id)
        self.store.move(own.id, status, at, from_any={Status.WATCHING}, message="It ended.")
        publish_change(self.store, self.channels, own.id, at)
        return self.sns.inboxes["team"][before:]


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with own_account(monkeypatch):
        yield Office(RunStore(boto3.client("dynamodb"), TABLE), Documents(boto3.client("s3"), BUCKET))


def arn(name: str) -> str:
    return f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"


def change(name: str = "orders", tuner: Tuner = Tuner.MEMORY, usd: float = -3.0, **after: Any) -> Change:
    return Change(
        run_id="run",
        tuner=tuner,
        action="set_memory" if tuner is Tuner.MEMORY else "schedule_warmups",
        target=arn(name),
        before={"memory_mb": 1024},
        after=after or ({"memory_mb": 512} if tuner is Tuner.MEMORY else {"pings": 3, "most_environments": 1}),
        reason="It costs less.",
        undo={},
        risk=Risk.LOW,
        effect=Effect(usd_month=Interval(usd, usd, usd)),
    )


def of_run(found: Change, run_id: str) -> Change:
    return Change(**{**{name: getattr(found, name) for name in Change.__dataclass_fields__}, "run_id": run_id})


def text(mail: Delivered) -> str:
    return " ".join(mail.body.split())


def test_inputs_of_schedules_are_known_as_such() -> None:
    (machine,) = [m for m in of_type("AWS::Serverless::StateMachine").values() if "optimize.asl" in m["DefinitionUri"]]
    assert {json.loads(one["Properties"]["Input"])["reason"] for one in machine["Events"].values()} == SCHEDULED


def test_recommendation_is_new_once_and_then_one_line(office: Office) -> None:
    one = change()
    (first,) = office.run(MONDAY, (one, Status.RECOMMENDED))
    assert "orders: memory 1024 -> 512 MB" in text(first)
    assert first.subject == "Optimizer: 1 recommended (3 functions checked)"
    for day in (1, 2):
        (later,) = office.run(MONDAY + day * DAY, (one, Status.RECOMMENDED), (change("items"), Status.RECOMMENDED))
        assert "orders: memory" not in text(later)
    assert "Unchanged since 30 Nov 2026: 1 recommendation. Potential savings: $3.00 a month." in text(
        office.sns.inboxes["team"][1]
    )
    assert "items: memory 1024 -> 512 MB" in text(office.sns.inboxes["team"][1])
    assert office.sns.inboxes["team"][1].subject.startswith("Optimizer: 1 newly recommended, 1 recommended as before")
    assert "Unchanged, the oldest since 30 Nov 2026: 2 recommendations." in text(later)
    assert later.subject == "Optimizer: 2 recommended as before (3 functions checked)"
    documents = [one.document for one in office.sns.inboxes["program"]]
    assert [found["counts"]["recommended"] for found in documents] == [1, 2, 2]


def test_other_numbers_make_a_recommendation_new(office: Office) -> None:
    office.run(MONDAY, (change(), Status.RECOMMENDED))
    (mail,) = office.run(MONDAY + DAY, (change(memory_mb=768), Status.RECOMMENDED))
    assert "orders: memory 1024 -> 768 MB" in text(mail)
    assert "Unchanged" not in text(mail)


def test_plan_of_pings_is_the_same_recommendation_every_day(office: Office) -> None:
    office.run(MONDAY, (change(tuner=Tuner.WARMUPS), Status.RECOMMENDED))
    other = change(tuner=Tuner.WARMUPS, pings=90, most_environments=4)
    (mail,) = office.run(MONDAY + DAY, (other, Status.RECOMMENDED))
    assert "Unchanged since 30 Nov 2026: 1 recommendation." in text(mail)


def test_day_without_news_has_no_mail(office: Office) -> None:
    assert len(office.run(MONDAY)) == 1
    quiet = [office.run(MONDAY + DAY + hours * HOUR, reason=why) for hours, why in QUIET]
    assert quiet == [[], [], [], []]
    assert len(office.sns.inboxes["program"]) == 5


QUIET = ((0, DAILY), (6, WARMUPS), (12, WARMUPS), (18, WARMUPS))


def test_plans_of_pings_that_go_well_are_one_mail_a_day(office: Office) -> None:
    office.run(MONDAY - DAY)
    mails = []
    for hours, why in QUIET:
        at = MONDAY + hours * HOUR
        plans = [change(name, Tuner.WARMUPS) for name in ("orders", "items", "users")]
        mails += office.run(at, *((plan, Status.WATCHING) for plan in plans), reason=why)
        for plan in plans:
            mails += office.end(plan, at + 5 * HOUR, Status.KEPT, f"{why.replace(' ', '-')}-{at:%d-%H%M}")
    assert len(mails) == 1
    (next_day,) = office.run(MONDAY + DAY)
    # Each plan replaced the one before it.
    assert next_day.subject == "Optimizer: 3 applied (3 functions checked)"
    assert len(office.sns.inboxes["program"]) == 1 + 4 + 12 + 1


def test_rolled_back_and_failed_changes_are_told_at_once(office: Office) -> None:
    office.run(MONDAY, (change(), Status.WATCHING), (change("items"), Status.WATCHING))
    run_id = f"daily-{MONDAY:%d-%H%M}"
    (rolled_back,) = office.end(change(), MONDAY + HOUR, Status.REVERTED, run_id)
    (failed,) = office.end(change("items"), MONDAY + HOUR, Status.FAILED, run_id)
    assert rolled_back.subject == "Optimizer: memory of orders rolled back"
    assert failed.subject == "Optimizer: memory of items failed"


def test_weekly_recommendations_are_in_the_next_mail(office: Office) -> None:
    """The weekly run starts two hours after the daily one, which has sent the mail of the day."""
    office.run(MONDAY - DAY)
    office.run(MONDAY, (change("pings", Tuner.WARMUPS), Status.RECOMMENDED))
    assert office.run(MONDAY + 2 * HOUR, (change(), Status.RECOMMENDED), reason=WEEKLY) == []
    (mail,) = office.run(MONDAY + DAY, (change("pings", Tuner.WARMUPS), Status.RECOMMENDED))
    assert "orders: memory 1024 -> 512 MB" in text(mail)
    assert "Unchanged since 30 Nov 2026: 1 recommendation." in text(mail)
    (after,) = office.run(MONDAY + 2 * DAY, (change("pings", Tuner.WARMUPS), Status.RECOMMENDED))
    assert "Unchanged since 30 Nov 2026: 2 recommendations." in text(after)


def test_recommendation_that_stands_no_more_is_gone(office: Office) -> None:
    office.run(MONDAY, (change(), Status.RECOMMENDED), (change("items"), Status.RECOMMENDED))
    (mail,) = office.run(MONDAY + DAY, (change("items"), Status.RECOMMENDED), checked=[("orders", Tuner.MEMORY)])
    assert "Unchanged since 30 Nov 2026: 1 recommendation." in text(mail)


def test_run_by_hand_answers_at_once(office: Office) -> None:
    office.run(MONDAY, (change(), Status.RECOMMENDED))
    (mail,) = office.run(MONDAY + HOUR, (change(), Status.RECOMMENDED), reason="I want to know")
    assert "Unchanged since 30 Nov 2026: 1 recommendation." in text(mail)


def test_what_cannot_be_checked_is_told_once(office: Office) -> None:
    failed = {arn("bare"): "it has no alias live"}
    (first,) = office.run(MONDAY, failed=failed)
    assert "bare: it has no alias live" in text(first)
    assert office.run(MONDAY + DAY, failed=failed) == []
    (third,) = office.run(MONDAY + 2 * DAY, failed={**failed, arn("new"): "it has no alias live"})
    assert "new: it has no alias live" in text(third)
    assert "bare: " not in text(third)
    assert "Still not checked, for the reasons of an earlier message: 1." in text(third)


def test_run_for_one_function_leaves_the_others_told(office: Office) -> None:
    failed = {arn("bare"): "it has no alias live"}
    office.run(MONDAY, failed=failed)
    office.run(MONDAY + HOUR, checked=[("orders", Tuner.MEMORY)], reason="one function")
    assert office.run(MONDAY + DAY, failed=failed) == []
    # What was checked in between is news if it fails again.
    office.run(MONDAY + DAY + HOUR, checked=[("bare", Tuner.MEMORY)], reason="by hand")
    (mail,) = office.run(MONDAY + 2 * DAY, failed=failed)
    assert "bare: it has no alias live" in text(mail)


def test_failed_batch_is_told_at_once_and_not_again(office: Office) -> None:
    note = {"batch": "0001", "state": "PlanCapacity", "error": "TimeoutError"}
    office.run(MONDAY)
    (mail,) = office.run(MONDAY + HOUR, reason=WARMUPS, notes=[note])
    assert "Batch 0001 failed in PlanCapacity: TimeoutError." in text(mail)
    assert office.run(MONDAY + 7 * HOUR, reason=WARMUPS, notes=[note]) == []


def test_day_is_that_of_the_policy(office: Office) -> None:
    """In Auckland it is Tuesday 17:00 at Monday 04:00 UTC, and Wednesday at 12:00 UTC."""
    office.run(MONDAY, (change(), Status.RECOMMENDED), time_zone="Pacific/Auckland")
    later = MONDAY + 8 * HOUR
    (mail,) = office.run(later, (change(), Status.RECOMMENDED), reason=WARMUPS, time_zone="Pacific/Auckland")
    assert "Unchanged" in text(mail)
