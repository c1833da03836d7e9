"""Where nothing needs a person, people get a mail a day at most, and read of everything within a day."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, strategies as st
from optimizer.core import Change, Effect, Interval, Risk, Status, StoredChange, Tuner
from optimizer.report import news
from optimizer.report.digest import compose_mail
from optimizer.report.news import Told
from optimizer.report.summary import summarise
from optimizer.store import NoSuchDocument

MONDAY = datetime(2026, 11, 30, 4, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEK = 7
NAMES = ("a", "b", "c")


@dataclass
class Memory:
    """A store and documents that hold what a digest reads."""

    stored: dict[str, StoredChange] = field(default_factory=dict)
    told: Told = field(default_factory=Told)

    def changes_of(self, run_id: str) -> list[StoredChange]:
        return [one for one in self.stored.values() if one.change.run_id == run_id]

    def changes(self, ids: Iterable[str]) -> list[StoredChange]:
        return [self.stored[one] for one in ids]

    def ended_since(self, since: datetime, _limit: int, tuner: Tuner) -> list[StoredChange]:
        ended = [one for one in self.stored.values() if one.times.get("kept", since - DAY) >= since]
        return [one for one in ended if one.change.tuner is tuner]

    def read(self, key: str) -> Any:
        if key == news.KEY:
            return self.told.document() | {"mailed_at": self.told.mailed_at and self.told.mailed_at.isoformat()}
        raise NoSuchDocument(key)

    def run(self, at: datetime, reason: str, *made: tuple[str, int, Status]) -> list[str]:
        """Report a run; return the texts of its mails."""
        run_id = f"{reason}-{at:%m-%d-%H}"
        for name, memory_mb, status in made:
            one = StoredChange(change(run_id, name, memory_mb), status, {}, "", "", "", {status.value: at})
            self.stored[one.change.id] = one
        run = {"run_id": run_id, "started_at": at, "targets": 3, "request": {"reason": reason}}
        own = self.changes_of(run_id)
        report = summarise(run, own, [], {}, at)
        mail = compose_mail(self, self, run, report, own, None, at)  # type: ignore[arg-type]
        self.told = mail.told
        again = compose_mail(self, self, run, report, own, None, at)  # type: ignore[arg-type]
        assert (again.is_due, again.told) == (False, self.told)
        return [" ".join(mail.text.split())] if mail.is_due else []

    def keep(self, run_id: str, at: datetime) -> None:
        """Let the changes of a run pass their observation."""
        for one in self.changes_of(run_id):
            if one.status is Status.WATCHING:
                self.stored[one.change.id] = replace(one, status=Status.KEPT, times={**one.times, "kept": at})


def change(run_id: str, name: str, memory_mb: int) -> Change:
    return Change(
        run_id=run_id,
        tuner=Tuner.MEMORY,
        action="set_memory",
        target=f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
        before={"memory_mb": 1024},
        after={"memory_mb": memory_mb},
        reason="It costs less.",
        undo={},
        risk=Risk.LOW,
        effect=Effect(usd_month=Interval(-3.0, -3.0, -3.0)),
    )


STATUSES = {"recommend": Status.RECOMMENDED, "apply": Status.WATCHING}
RUN = st.lists(st.sampled_from(("recommend", "apply", "nothing")), min_size=3, max_size=3)


@given(st.lists(st.tuples(RUN, RUN, RUN), min_size=4, max_size=28))
def test_calendar_of_good_days_has_a_mail_a_day_at_most(days: list[tuple[list[str], ...]]) -> None:
    office, expected, mails = Memory(), list[tuple[datetime, str]](), list[tuple[datetime, str]]()
    office.run(MONDAY - DAY, "daily")
    for day, decided in enumerate(days):
        hours = {"daily": 0, "schedule of warm-ups": 6} | ({"weekly": 2} if day % WEEK == 0 else {})
        for place, (reason, hour) in enumerate(sorted(hours.items(), key=lambda one: one[1])):
            at = MONDAY + day * DAY + hour * HOUR
            # Sizes that differ by more than a tenth from all others.
            memory_mb = 128 * (2 * day + 3 * place + 40 * (day % 2) + 2)
            made = [(n, memory_mb, STATUSES[d]) for n, d in zip(NAMES, decided[place], strict=True) if d in STATUSES]
            mails += [(at, said) for said in office.run(at, reason, *made)]
            applied = [n for n, _, status in made if status is Status.WATCHING]
            expected += [(at, f"{n}: memory 1024 -> {memory_mb} MB") for n in applied]
            office.keep(f"{reason}-{at:%m-%d-%H}", at + 5 * HOUR)
    last = MONDAY + len(days) * DAY
    mails += [(last, said) for said in office.run(last, "daily")]
    sent = [at.date() for at, _ in mails]
    assert len(sent) == len(set(sent))
    for at, what in expected:
        assert any(what in said for when, said in mails if at <= when <= at + DAY), (at, what)
    standing = office.told.unchanged(Status.RECOMMENDED)
    assert all(one.told for one in standing)
