"""The hooks of a change of TTLs: a document is published, observed, kept or replaced by the one before.

A document is published whole. What is about to be published is in the change's record before it is, with the revision
that it replaces, so that a step that is killed anywhere and repeated ends in the old TTLs or the new ones.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from optimizer.caches.observe import CacheUse, judge
from optimizer.caches.probe import CacheFailed, ServerUse
from optimizer.caches.progress import TtlProgress
from optimizer.caches.publish import PublishedTtls, PublishOutcome, TtlPublisher, Ttls, UnusableDocument, document
from optimizer.caches.tuning.usage import sum_usage
from optimizer.core import Change, Status
from optimizer.guardrails import CacheTtlState, Refusal
from optimizer.lifecycle import (
    Applied,
    Blocked,
    End,
    Finished,
    Hooks,
    Keep,
    Look,
    Observation,
    Outdated,
    Pending,
    Ready,
    Recorder,
    RollBack,
    RolledBack,
    rest_until,
)
from optimizer.policy import Cache, CacheTtls

# A function reads the TTLs once a minute, and logs once a minute; the log needs a moment, too.
_POLL_S = 66
_LATE_S = 180
_PENDING_S = 30
# The observation lasts at least this many times the longest TTL.
_OBSERVED_TTLS = 2.0


@dataclass(frozen=True, slots=True)
class TtlHooks(Hooks[TtlProgress]):
    """Publish the TTLs of a cache.

    recheck: the guardrails on what is in force. read_metrics: the client's metrics records of a time. read_server: what
    the cache's servers hold, None where the policy names none; raises CacheFailed.
    """

    progress_type: ClassVar = TtlProgress

    cache: Cache
    limits: CacheTtls
    publisher: TtlPublisher
    recheck: Callable[[Change, CacheTtlState, datetime], Refusal | None]
    read_metrics: Callable[[datetime, datetime], list[Mapping[str, Any]]]
    read_server: Callable[[], ServerUse | None]

    def prepare(self, change: Change, now: datetime) -> Ready[TtlProgress] | End:
        """Check what is in force and the guardrails, and write the document that is to be published."""
        before = document.read(change.before)
        live = self._live()
        if live is None:
            return Outdated("what is published is no TTL document any more")
        in_force = live.ttls.ttl_s
        if live.ttls.version != before.version or any(before.ttl_s.get(n) != ttl_s for n, ttl_s in in_force.items()):
            return Outdated(f"version {live.ttls.version} of the TTLs is in force, not {before.version} as planned")
        try:
            server = self.read_server()
        except CacheFailed as unreadable:
            return Blocked("cache_ttls.server", f"{unreadable}.")
        objection = self.recheck(change, CacheTtlState({**before.ttl_s, **in_force}), now)
        if objection is not None:
            return Blocked(objection.rule, objection.message)
        longest, most = max(float(change.after["ttl_s"][n]) for n in _names(change)), self.publisher.most_ttl_s()
        if longest > most:
            told = f"A deployment that bakes {2 * most:g} s cannot observe a TTL of {longest:g} s."
            return Blocked("cache_ttls.bake", told)
        text = document.write(document.read(change.after), before, change.id)
        return Ready(TtlProgress(revision=live.revision, text=text, server=server))

    def advance(self, recorder: Recorder[TtlProgress], _now: datetime) -> Applied | Pending | End:
        """Publish the document."""
        progress = recorder.progress
        match self.publisher.publish(progress.text or "", progress.revision or 0):
            case PublishOutcome.PENDING:
                return Pending(_PENDING_S, "the TTLs are being deployed")
            case PublishOutcome.LOST:
                return Outdated("somebody else published TTLs meanwhile, which stay, or an alarm rolled these back")
        return Applied()

    def observation(self, change: Change, _progress: TtlProgress) -> Observation:
        """Look once, when every entry has been stored under the new TTLs for long enough."""
        age_s = math.ceil(self._watch_s(change) + _LATE_S)
        return Observation((age_s,), f"version {change.after['version']} is published")

    def observe(self, recorder: Recorder[TtlProgress], look: Look) -> Keep | RollBack:
        """Judge everything after the longest of the change's TTLs has passed once."""
        change, progress = recorder.change, recorder.progress
        since = progress.applied_at or look.now
        live = self._live()
        if live is None or live.text != progress.text:
            return RollBack("somebody else published TTLs during the observation, or an alarm rolled these back")
        start = since + timedelta(seconds=self._settle_s(change))
        end = since + timedelta(seconds=self._watch_s(change) + _LATE_S)
        records = self.read_metrics(start, end)
        use = CacheUse(
            new=sum_usage(records, int(change.after["version"])),
            any=sum_usage(records),
            seconds=max(1.0, (look.now - since).total_seconds()),
            server_then=progress.server,
            server_now=self._server(),
        )
        health = judge(change.evidence, self.cache.memory_mb, use, self.limits)
        if health.problems:
            recorder.save(replace(progress, unhealthy=dict(health.problems)))
            return RollBack(health.summary)
        recorder.save(replace(progress, seen=health.summary))
        return Keep(health.summary)

    def finish(self, recorder: Recorder[TtlProgress], _now: datetime) -> Finished:
        """Tell what the observation found."""
        return Finished(recorder.progress.seen or "")

    def roll_back(self, recorder: Recorder[TtlProgress], _now: datetime) -> RolledBack | Pending:
        """Publish the TTLs that were in force before, as a new version; what somebody else published stays."""
        change, progress, note = recorder.change, recorder.progress, ""
        if progress.back_text is None:
            live = self._live()
            if live is None or live.text != progress.text:
                note = "nothing of this change is in force"
            else:
                back = Ttls(live.ttls.version + 1, dict(change.before["ttl_s"]))
                text = document.write(back, live.ttls, change.id)
                recorder.save(replace(progress, back_text=text, back_revision=live.revision))
        progress = recorder.progress
        if progress.back_text is not None:
            outcome = self.publisher.roll_back(progress.back_text, progress.back_revision or 0)
            if outcome is PublishOutcome.PENDING:
                return Pending(_PENDING_S, "the former TTLs are being deployed")
            if outcome is PublishOutcome.LOST:
                note = "somebody else published TTLs meanwhile, which stay"
        return RolledBack((note,), _did_worse(change, progress.unhealthy or {}))

    def cool_down(self, change: Change, status: Status, since: datetime) -> dict[str, datetime]:
        """Leave the cache alone for a while after its TTLs were changed."""
        if status not in (Status.KEPT, Status.REVERTED):
            return {}
        return {change.target: rest_until(since, self.limits.cool_down_days)}

    def _live(self) -> PublishedTtls | None:
        try:
            return self.publisher.read()
        except UnusableDocument:
            return None

    def _server(self) -> ServerUse | None:
        try:
            return self.read_server()
        except CacheFailed:
            return None

    def _longest_ttl_s(self, change: Change) -> float:
        return max(float(part["ttl_s"][name]) for part in (change.before, change.after) for name in _names(change))

    def _settle_s(self, change: Change) -> float:
        """Return how long entries stored under the former TTL may stay, at most half of the observation."""
        return _POLL_S + min(self._longest_ttl_s(change), self._watch_s(change) / 2)

    def _watch_s(self, change: Change) -> float:
        return max(self.limits.watch_minutes * 60, _OBSERVED_TTLS * self._longest_ttl_s(change)) + _POLL_S


def _names(change: Change) -> list[str]:
    """Return the namespaces whose TTL changes."""
    return list(change.evidence["namespaces"])


def _did_worse(change: Change, problems: Mapping[str, str]) -> dict[str, str]:
    """Return the TTLs that are not tried again soon, with the reason; what concerns the whole cache is held against
    those that grew."""
    before, after = change.before["ttl_s"], change.after["ttl_s"]
    reasons = {
        name: problems.get(name) or (problems.get("", "") if after[name] > before[name] else "")
        for name in _names(change)
    }
    return {f"{name}={after[name]:g}": reason for name, reason in reasons.items() if reason}
