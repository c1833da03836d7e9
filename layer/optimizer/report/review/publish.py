"""Collect a quarter of history, write its review as a report and publish it."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from optimizer.core import canonical_json
from optimizer.report import collect
from optimizer.report.last_known import LastKnown, week_of
from optimizer.report.message import Message
from optimizer.report.pages import review_page
from optimizer.report.publish import Channels, publish_once
from optimizer.report.review.quarter import DAYS, ReviewWeek, review, review_body, review_subject
from optimizer.report.savings import verify_savings
from optimizer.store import Documents, RunStore

_MOST = 5000


def publish_review(
    store: RunStore,
    documents: Documents,
    channels: Channels,
    run_id: str,
    now: datetime,
    link: Callable[[str], tuple[str, datetime | None]] | None = None,
) -> str:
    """Write report.json, report.txt and the page, publish the mail, record the run's end; return the message's id."""
    since = now - timedelta(days=DAYS)
    runs = [run for run in store.runs(since, _MOST) if run["run_id"] != run_id]
    good = [run for run in runs if run["status"] == "succeeded" and run.get("targets")]
    known = collect.read_last_known(documents)
    made = review(
        run_id,
        since,
        now,
        _weeks(documents, known, good, since),
        runs,
        store.changes_since(since, _MOST),
        verify_savings(collect.ended_since(store, since, _MOST), known.facts(), now, days=DAYS),
    )
    found = link(run_id) if link else None
    text = review_body(made, *(found or ()))
    documents.write(f"runs/{run_id}/report.json", made)
    kept = review_body(made).encode()
    documents.write_bytes(f"runs/{run_id}/report.txt", kept, "text/plain; charset=utf-8")
    documents.write_bytes(f"runs/{run_id}/report/index.html", review_page(made).encode(), collect.HTML)
    details: dict[str, Any] = {
        "report_key": f"runs/{run_id}/report.json",
        "calls_day_ahead": canonical_json.plain(made.calls_day_ahead),
        "environments_ahead": canonical_json.plain(made.environments_ahead),
        "runs": made.runs,
        "advice": list(made.advice),
        **(collect.link_details(*found) if found else {}),
    }
    message = Message(
        kind="Review finished",
        subject=review_subject(made),
        text=text,
        run_id=run_id,
        outcome="succeeded",
        severity="info",
        tuners=tuple(tuned.tuner for tuned in made.tuners),
        details=details,
    )
    message_id = publish_once(channels, store, f"RUN#{run_id}", message, now)
    store.finish_run(run_id, "succeeded", now, message_id=message_id)
    return message_id


def _weeks(
    documents: Documents, known: LastKnown, runs: Iterable[Mapping[str, Any]], since: datetime
) -> list[ReviewWeek]:
    """Return the weeks, oldest first. Weeks before the looks were kept are those of their last runs, newest first."""
    found = {week: ReviewWeek(week, **one) for week, one in known.weeks.items() if week >= week_of(since)}
    last: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        last.setdefault(week_of(run["started_at"]), run)
    earlier = {week: _week(documents, week, run) for week, run in last.items() if week not in found}
    return [one for _, one in sorted({**earlier, **found}.items())]


def _week(documents: Documents, week: str, run: Mapping[str, Any]) -> ReviewWeek:
    traffic = [
        function
        for key in documents.keys(f"runs/{run['run_id']}/traffic/")
        for function in documents.read(key)["functions"].values()
    ]
    return ReviewWeek(
        week=week,
        functions=len(traffic),
        calls_day=round(sum(function["invocations_day"] or 0.0 for function in traffic), 1),
        environments=sum(int((function["need"] or {}).get("max", 0)) for function in traffic),
    )
