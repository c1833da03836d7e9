"""The mail about a run."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, strategies as st
from optimizer.core.change import Change, Effect, Interval, Risk, Status, StoredChange, Tuner
from optimizer.report import report_command, text
from optimizer.report.lines import line
from optimizer.report.summary import Report, summarise
from optimizer.report.wording import reason

NOW = datetime(2026, 11, 4, 12, 0, tzinfo=UTC)
RUN = {"run_id": "run-1", "started_at": NOW, "targets": 40}


def stored(status: Status, name: str = "orders", estimate: float = -3.0, **fields: Any) -> StoredChange:
    change = Change(
        run_id="run-1",
        tuner=Tuner.MEMORY,
        action="set_memory",
        target=f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
        before={"memory_mb": 1024},
        after={"memory_mb": 768},
        reason="It costs a fifth less.",
        undo={"memory_mb": 1024},
        risk=Risk.MEDIUM,
        effect=Effect(usd_month=Interval(estimate, estimate - 1, estimate + 1)),
    )
    known: dict[str, Any] = {"progress": {}, "verdict": "", "rule": "", "message": "", "times": {}}
    return StoredChange(change, status, **{**known, **fields})


def report(*changes: StoredChange, **fields: Any) -> Report:
    return replace(summarise(RUN, changes, [], {}, NOW), **fields)


def test_mail_lists_changes_of_every_status() -> None:
    everything = report(*(stored(status, status.value) for status in Status))
    body = text.body(everything)
    assert all(f"- {status.value}:" in body for status in Status)


def test_mail_shows_the_sums_of_the_report() -> None:
    found = report(stored(Status.WATCHING, "a"), stored(Status.KEPT, "b"), stored(Status.RECOMMENDED, "c", -7.0))
    assert found.expected_usd_month == Interval(-6, -8, -4)
    body = " ".join(text.body(found).split())
    assert "applied in this run: $6.00 ($4.00 to $8.00) a month" in body
    assert "recommended changes: $7.00 ($6.00 to $8.00) a month" in body


def test_blocked_change_names_its_rule() -> None:
    body = text.body(report(stored(Status.REFUSED, rule="memory.floor", message="64 MB is below the floor.")))
    assert "[memory.floor]" in body


def test_long_section_is_cut_and_counted() -> None:
    body = text.body(report(*(stored(Status.RECOMMENDED, f"f{n}") for n in range(50))))
    assert "automatically): 50" in body
    assert "- and 30 more, in the report" in body


def test_severity_is_warning_if_something_went_wrong() -> None:
    assert report(stored(Status.KEPT)).severity == "info"
    for one in (
        report(stored(Status.FAILED)),
        report(stored(Status.REVERTED)),
        report(not_looked_at={"orders": "it has no alias"}),
        report(notes=("Batch 0003 failed.",)),
    ):
        assert one.severity == "warning"


@given(st.text(max_size=300))
def test_subject_is_one_short_line_of_ascii(name: str) -> None:
    shown = replace(line(stored(Status.KEPT)), target=name)
    subject = text.change_subject(shown)
    assert subject.isascii()
    assert subject.isprintable()
    assert 0 < len(subject) < 100


def test_functions_without_metrics_are_no_warning() -> None:
    found = report(without_metrics=tuple(f"f{n:02d}" for n in range(30)))
    body = " ".join(text.body(found).split())
    assert "No metrics at all (never called, or not for weeks): f00, f01," in body
    assert "f19 and 10 more." in body
    assert found.severity == "info"


def test_unfinished_change_has_a_section_of_its_own() -> None:
    found = report(stored(Status.APPROVED, "a"), stored(Status.APPLYING, "b"))
    body = text.body(found)
    assert "Started and not finished; a message about each gives the reason: 2" in body
    assert "Applied" not in body
    assert "Waiting" not in body
    assert found.severity == "warning"


def test_change_that_waits_for_its_window_says_when_it_opens() -> None:
    message = "Waits for its window, which opens at Tue 2026-12-01 03:00 CET."
    opens = datetime(2026, 12, 1, 2, tzinfo=UTC)
    found = report(stored(Status.APPROVED, waits_until=opens, message=message))
    assert text.subject(found) == "Optimizer: 1 waiting to be applied (40 functions checked)"
    body = " ".join(text.body(found).split())
    assert "Approved, and waiting to be applied: 1" in body
    assert message in body
    assert "Started and not finished" not in body
    assert found.severity == "info"
    assert "1 waiting to be applied" in text.approval_subject(found, "run-1")
    assert message in " ".join(text.approval_body(found, "Ada approved 1 of 1").split())


def test_reason_that_begins_with_an_identifier_keeps_it() -> None:
    customer = replace(line(stored(Status.KEPT)), target="shop/public.customer")
    assert reason(replace(customer, reason="customer was never analysed.")) == "customer was never analysed."
    assert reason(replace(customer, reason="statistics are old.")) == "Statistics are old."


def test_mail_without_a_page_names_the_command() -> None:
    told = text.body(report(stored(Status.KEPT)), report_command("run-1", "optimizer"), None)
    assert "Report with charts, with AWS credentials, from a terminal:\noptimizer report run-1 --open\n" in told
    assert report_command("run-1", "optimizer-staging") == "optimizer report run-1 --open --stack optimizer-staging"


def test_mail_with_a_page_names_the_end_of_its_link() -> None:
    told = text.body(report(stored(Status.KEPT)), "https://reports.example/run-1", NOW)
    assert "until 2026-11-04 12:00 UTC for everybody who has this link:" in " ".join(told.split())
    assert "\nhttps://reports.example/run-1\n" in told


def test_the_line_of_a_command_is_never_broken() -> None:
    run_id = "run-" + "1" * 76
    told = text.body(report(stored(Status.KEPT)), report_command(run_id, "optimizer-staging"), None)
    assert f"\noptimizer report {run_id} --open --stack optimizer-staging\n" in told
