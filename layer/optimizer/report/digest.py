"""Compose the mail about a run and what people have not read since their last mail, or leave it to the next run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from optimizer.core import Status, StoredChange, Tuner
from optimizer.report import news, text
from optimizer.report.news import Told
from optimizer.report.summary import Report, summarise
from optimizer.store import Documents, NoSuchDocument, RunStore

_MOST_ENDED = 500


@dataclass(frozen=True, slots=True)
class Mail:
    """The mail to people if one is due, and what they know afterwards."""

    is_due: bool
    subject: str
    text: str
    told: Told


def compose_mail(
    store: RunStore,
    documents: Documents,
    run: Mapping[str, Any],
    report: Report,
    own: Sequence[StoredChange],
    link: tuple[str, datetime | None] | None,
    now: datetime,
) -> Mail:
    """Return the mail about a run: at once if somebody started it, or else once a day if there is anything to tell.

    own: the changes of the run.
    """
    before = read_told(documents)
    if report.run_id in before.runs:
        # The run has been told; a repeated call sends nothing.
        return Mail(False, "", "", before)
    checked = [(item["target"], item["tuner"]) for item in report.left_alone]
    told = before.with_run(report.run_id, own, checked, now).with_advice(report.advice, now)
    shown = _shown(store, before, told, run, report, own)
    unreadable = {target: why for target, why in shown.not_looked_at.items() if before.unreadable.get(target) != why}
    unchanged = len(shown.not_looked_at) - len(unreadable)
    shown = replace(shown, not_looked_at=unreadable, notes=_new_notes(before, report))
    known = [news.unchanged_line(told)] if news.unchanged_line(told) else []
    repeated = len(report.advice) - len({one.key for one in report.advice} & {one.key for one in told.unread_advice})
    known += [f"Advice of earlier messages that still holds: {repeated}."] if repeated else []
    known += [f"Still not checked, for the reasons of an earlier message: {unchanged}."] if unchanged else []
    if not _is_due(before, told, run, shown, _time_zone(documents, report.run_id), now):
        return Mail(False, "", "", told)
    url, ends = link or ("", None)
    when = "since the last message" if before.pending else "in this run"
    return Mail(
        is_due=True,
        subject=text.subject(shown, len(told.unchanged(Status.RECOMMENDED))),
        text=text.body(shown, url, ends, known, when),
        told=told.mailed(_unreadable(before, report, own), report.notes, now),
    )


def _unreadable(before: Told, report: Report, own: Iterable[StoredChange]) -> dict[str, str]:
    """Return what people know that could not be checked, without what this run has checked."""
    checked = {item["target"] for item in report.left_alone} | {stored.change.target for stored in own}
    names = {target.rsplit(":function:", 1)[-1] for target in checked}
    known = {target: why for target, why in before.unreadable.items() if target not in names}
    return known | dict(report.not_looked_at)


def read_told(documents: Documents) -> Told:
    """Return what people know."""
    try:
        return Told.from_document(documents.read(news.KEY))
    except NoSuchDocument:
        return Told()


def _shown(
    store: RunStore, before: Told, told: Told, run: Mapping[str, Any], report: Report, own: Sequence[StoredChange]
) -> Report:
    """Return the report with the news of earlier runs and without what people know."""
    earlier = list(store.changes(set(told.pending) - {stored.change.id for stored in own}))
    if before.mailed_at:
        # Plans of pings end every few hours, and must not crowd out the others.
        ended = (store.ended_since(before.mailed_at, _MOST_ENDED, tuner) for tuner in Tuner)
        earlier += [stored for some in ended for stored in some if stored.status is Status.KEPT]
    every = {stored.change.id: stored for stored in (*earlier, *own)}
    return summarise(
        run,
        told.unread(every.values()),
        report.left_alone,
        report.not_looked_at,
        report.finished_at,
        without_metrics=report.without_metrics,
        notes=report.notes,
        proved=report.proved,
        advice=told.unread_advice,
    )


def _is_due(before: Told, told: Told, run: Mapping[str, Any], shown: Report, time_zone: str, now: datetime) -> bool:
    if news.is_by_hand(run) or before.mailed_at is None or shown.notes:
        return True
    return before.is_day_over(now, time_zone) and _has_news(told, shown)


def _has_news(told: Told, shown: Report) -> bool:
    """Return True if there is anything for people to read, if only that recommendations stand."""
    new = shown.changed or shown.recommended or shown.refused or shown.rejected or shown.taken_back or shown.failed
    open_still = shown.unfinished or shown.scheduled or shown.not_looked_at or told.unchanged(Status.RECOMMENDED)
    return bool(new or shown.advice or open_still)


def _new_notes(before: Told, report: Report) -> tuple[str, ...]:
    return tuple(note for note in report.notes if note not in before.notes)


def _time_zone(documents: Documents, run_id: str) -> str:
    try:
        return str(documents.read(f"runs/{run_id}/policy.json").get("time_zone", "UTC"))
    except NoSuchDocument:
        return "UTC"
