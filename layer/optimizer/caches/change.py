"""The life of a Change of TTLs: apply, poll, verify, keep, revert, as docs/architecture.md says.

A document is published whole. What is about to be published is in the Change's `progress` before it is, with the
revision it replaces, so that a step that is killed anywhere and repeated ends in the old TTLs or the new ones.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from optimizer.caches.observe import ServerUse, Watched, judge
from optimizer.caches.publish import document
from optimizer.caches.publish.document import Ttls, UnusableDocument
from optimizer.caches.publish.ssm import PublishOutcome, Reading, TtlPublisher
from optimizer.caches.tuning.usage import usages
from optimizer.core import FINAL, Change, Status, StoredChange
from optimizer.guardrails import CacheTtlState
from optimizer.lifecycle import Answer, Objection, answer, applied_at
from optimizer.policy import Cache, CacheTtls
from optimizer.store import RunStore

# A function reads the TTLs once a minute, and logs once a minute; the log needs a moment, too.
_POLL_S = 66
_LATE_S = 180
_PENDING_S = 30
# Of the longest TTL: what the watch lasts at least.
_OBSERVED_TTLS = 2.0


class ServerUnreadable(RuntimeError):
    """The server that the policy names could not be looked at."""


@dataclass(frozen=True, slots=True)
class ChangeCacheTtls:
    """The steps. recheck: the guardrails on what is in force. read_metrics: the client's metrics records of a time.
    read_server: what its servers hold, None where the policy names none; raises ServerUnreadable."""

    store: RunStore
    cache: Cache
    limits: CacheTtls
    delivery: TtlPublisher
    recheck: Callable[[Change, CacheTtlState, datetime], Objection | None]
    read_metrics: Callable[[datetime, datetime], list[Mapping[str, Any]]]
    read_server: Callable[[], ServerUse | None]

    def apply(self, change_id: str, now: datetime) -> Answer:
        """Check what is in force and the guardrails, then publish."""
        stored = self.store.change(change_id)
        if stored.status is Status.WATCHING or stored.status in FINAL:
            return self._where_it_is(stored)
        if not self.store.move(change_id, Status.APPLYING, now, frm={Status.APPROVED}):
            return answer("refused", change_id, f"the change is {stored.status.value}, not approved")
        if not stored.progress:
            turned_down = self._prepare(stored.change, now)
            if turned_down is not None:
                return turned_down
        return self.poll(change_id, now)

    def poll(self, change_id: str, now: datetime) -> Answer:
        """Go on with what `apply` began."""
        stored = self.store.change(change_id)
        if stored.status is not Status.APPLYING:
            return self._where_it_is(stored)
        progress = dict(stored.progress)
        outcome = self.delivery.publish(progress["text"], int(progress["revision"]))
        if outcome is PublishOutcome.PENDING:
            return answer("pending", change_id, "the TTLs are being deployed", wait_s=_PENDING_S)
        if outcome is PublishOutcome.LOST:
            reason = "somebody else published TTLs meanwhile, which stay, or an alarm rolled these back"
            self.store.move(change_id, Status.STALE, now, frm={Status.APPLYING}, message=reason)
            return answer("stale", change_id, reason)
        if "applied_at" not in progress:
            self.store.save_progress(change_id, {**progress, "applied_at": applied_at(stored, now)})
        self.store.move(change_id, Status.WATCHING, now, frm={Status.APPLYING})
        return self._where_it_is(self.store.change(change_id))

    def verify(self, change_id: str, now: datetime, _verification: int | None = None) -> Answer:
        """Look at the one observation of the change: everything after the longest of its TTLs has passed once."""
        stored = self.store.change(change_id)
        if stored.status is not Status.WATCHING:
            return self._where_it_is(stored)
        change, since = stored.change, datetime.fromisoformat(stored.progress["applied_at"])
        live = self._live()
        if live is None or live.text != stored.progress["text"]:
            return answer(
                "revert", change_id, "somebody else published TTLs during the watch, or an alarm rolled these back"
            )
        start = since + timedelta(seconds=self._settle_s(change))
        end = since + timedelta(seconds=self._watch_s(change) + _LATE_S)
        records = self.read_metrics(start, end)
        then = stored.progress.get("server")
        watched = Watched(
            new=usages(records, int(change.after["version"])),
            any=usages(records),
            seconds=max(1.0, (now - since).total_seconds()),
            server_then=ServerUse(**then) if then else None,
            server_now=self._server(),
        )
        health = judge(change.evidence, self.cache.memory_mb, watched, self.limits)
        if health.problems:
            self.store.save_progress(change_id, {**stored.progress, "unhealthy": dict(health.problems)})
            return answer("revert", change_id, health.summary)
        self.store.save_progress(change_id, {**stored.progress, "seen": health.summary})
        return answer("keep", change_id, health.summary)

    def keep(self, change_id: str, now: datetime) -> Answer:
        """The watch is over and went well."""
        stored = self.store.change(change_id)
        if stored.status is not Status.WATCHING:
            return self._where_it_is(stored)
        self._cool_down(stored.change, now)
        note = str(stored.progress.get("seen", ""))
        self.store.move(change_id, Status.KEPT, now, frm={Status.WATCHING}, message=note)
        return answer("kept", change_id, note)

    def revert(self, change_id: str, now: datetime, reason: str = "") -> Answer:
        """Publish the TTLs that were in force before, as a new version; what somebody else published stays."""
        stored = self.store.change(change_id)
        if stored.status in (Status.REVERTED, Status.STALE, Status.FAILED):
            return answer("reverted", change_id, stored.message)
        back_from = {Status.APPROVED, Status.APPLYING, Status.WATCHING, Status.KEPT}
        if not self.store.move(change_id, Status.REVERTING, now, frm=back_from, message=reason):
            return self._where_it_is(stored)
        progress = dict(stored.progress)
        note = ""
        if "back_text" not in progress:
            live = self._live()
            if live is None or not progress or live.text != progress["text"]:
                note = "nothing of this change is in force"
            else:
                back = Ttls(live.ttls.version + 1, dict(stored.change.before["ttl_s"]))
                progress["back_text"] = document.write(back, live.ttls, change_id)
                progress["back_revision"] = live.revision
                self.store.save_progress(change_id, progress)
        if "back_text" in progress:
            outcome = self.delivery.take_back(progress["back_text"], int(progress["back_revision"]))
            if outcome is PublishOutcome.PENDING:
                return answer("pending", change_id, "the former TTLs are being deployed", wait_s=_PENDING_S)
            if outcome is PublishOutcome.LOST:
                note = "somebody else published TTLs meanwhile, which stay"
        self._remember(stored, now)
        self._cool_down(stored.change, now)
        said = "; ".join(filter(None, (reason or stored.message, note)))
        self.store.move(change_id, Status.REVERTED, now, frm={Status.REVERTING}, message=said)
        return answer("reverted", change_id, said)

    def _prepare(self, change: Change, now: datetime) -> Answer | None:
        """Why the change cannot be made; None once what will be published is recorded."""
        applying = {Status.APPLYING}
        before = document.read(change.before)
        live = self._live()
        stale = ""
        if live is None:
            stale = "what is published is no TTL document any more"
        elif live.ttls.version != before.version or any(
            before.ttl_s.get(name) != ttl_s for name, ttl_s in live.ttls.ttl_s.items()
        ):
            stale = f"version {live.ttls.version} of the TTLs is in force, not {before.version} as planned"
        if live is None or stale:
            self.store.move(change.id, Status.STALE, now, frm=applying, message=stale)
            return answer("stale", change.id, stale)
        try:
            server = self.read_server()
        except ServerUnreadable as unreadable:
            return self._refuse(change, "cache_ttls.server", f"{unreadable}.", now)
        refusal = self.recheck(change, CacheTtlState({**before.ttl_s, **live.ttls.ttl_s}), now)
        if refusal is not None:
            return self._refuse(change, refusal.rule, refusal.message, now)
        longest, most = max(float(change.after["ttl_s"][n]) for n in self._names(change)), self.delivery.most_ttl_s()
        if longest > most:
            told = f"A deployment that bakes {2 * most:g} s cannot watch over a TTL of {longest:g} s."
            return self._refuse(change, "cache_ttls.bake", told, now)
        progress: dict[str, Any] = {
            "revision": live.revision,
            "text": document.write(document.read(change.after), before, change.id),
        }
        if server is not None:
            progress["server"] = {"evicted": server.evicted, "used_bytes": server.used_bytes}
        self.store.save_progress(change.id, progress)
        return None

    def _refuse(self, change: Change, rule: str, message: str, now: datetime) -> Answer:
        self.store.move(change.id, Status.REFUSED, now, frm={Status.APPLYING}, message=f"{rule}: {message}")
        return {**answer("refused", change.id, message), "rule": rule}

    @staticmethod
    def _names(change: Change) -> list[str]:
        """The namespaces whose TTL changes."""
        return list(change.evidence["namespaces"])

    def _live(self) -> Reading | None:
        try:
            return self.delivery.read()
        except UnusableDocument:
            return None

    def _server(self) -> ServerUse | None:
        try:
            return self.read_server()
        except ServerUnreadable:
            return None

    def _remember(self, stored: StoredChange, now: datetime) -> None:
        """What did worse is not tried again soon; what concerns the whole cache is held against what grew."""
        change, problems = stored.change, stored.progress.get("unhealthy") or {}
        before, after = change.before["ttl_s"], change.after["ttl_s"]
        for name in self._names(change):
            reason = problems.get(name) or (problems.get("", "") if after[name] > before[name] else "")
            if reason:
                self.store.remember_taken_back(change.target, change.tuner, f"{name}={after[name]:g}", now, reason)

    def _cool_down(self, change: Change, now: datetime) -> None:
        until = now + timedelta(days=self.limits.cool_down_days)
        self.store.cool_down(change.target, change.tuner, until, change.id)

    def _longest_ttl_s(self, change: Change) -> float:
        parts = (change.before, change.after)
        return max(float(part["ttl_s"][name]) for part in parts for name in self._names(change))

    def _settle_s(self, change: Change) -> float:
        """Until entries stored under the former TTL are gone, at most half of the observation."""
        return _POLL_S + min(self._longest_ttl_s(change), self._watch_s(change) / 2)

    def _watch_s(self, change: Change) -> float:
        return max(self.limits.watch_minutes * 60, _OBSERVED_TTLS * self._longest_ttl_s(change)) + _POLL_S

    def _where_it_is(self, stored: StoredChange) -> Answer:
        change = stored.change
        if stored.status is Status.WATCHING:
            wait_s = math.ceil(self._watch_s(change) + _LATE_S)
            return answer("applied", change.id, f"version {change.after['version']} is published", wait_s=wait_s)
        outcomes = {Status.REJECTED: "refused", Status.RECOMMENDED: "refused"}
        return answer(outcomes.get(stored.status, stored.status.value), change.id, stored.message)
