"""The run store on an emulated DynamoDB table."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from optimizer.core.approval import Approval, Vote
from optimizer.core.change import Change, Effect, Interval, Judged, Rejection, Risk, Status, Tuner
from optimizer.store.errors import DifferentChange, NoSuchChange, NoSuchRun
from optimizer.store.run_store import RunStore

from tests.helpers.release_lock import release_lock

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
LEASE = timedelta(minutes=30)
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"


def change(**fields: Any) -> Change:
    values: dict[str, Any] = {
        "run_id": "run-1",
        "tuner": Tuner.MEMORY,
        "action": "set_memory",
        "target": ARN,
        "before": {"memory_mb": 512},
        "after": {"memory_mb": 768},
        "reason": "It is faster and costs the same.",
        "undo": {"memory_mb": 512},
        "risk": Risk.MEDIUM,
        "evidence": {"max_memory_used_mb": 301.25, "price_ratio": 0.1 + 0.2},
        "effect": Effect(usd_month=Interval(-1.1, -2.2, 0.3)),
    }
    return Change(**{**values, **fields})


@pytest.fixture
def store(dynamodb: Any) -> RunStore:
    return RunStore(dynamodb, "optimizer")


class CrashingClient:
    """Passes calls on until the chosen one, then fails after it was carried out: the Lambda died right there."""

    def __init__(self, client: Any, method: str) -> None:
        self._client, self._method = client, method

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name != self._method:
            return call

        def crash(**arguments: Any) -> None:
            call(**arguments)
            raise ConnectionError("died after the call")

        return crash


class SerialClient:
    """Carries out one call at a time, as DynamoDB does with writes to the same item and moto alone does not."""

    def __init__(self, client: Any) -> None:
        self._client, self._lock = client, threading.Lock()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def serial(**arguments: Any) -> Any:
            with self._lock:
                return call(**arguments)

        return serial if name.endswith(("item", "items")) else call


def test_one_run_holds_the_lock(store: RunStore) -> None:
    assert store.take_lock("run-1", NOW, LEASE) == "run-1"
    assert store.take_lock("run-2", NOW, LEASE) == "run-1"


def test_taking_the_lock_again_extends_it(store: RunStore) -> None:
    store.take_lock("run-1", NOW, LEASE)
    assert store.take_lock("run-1", NOW + timedelta(minutes=20), LEASE) == "run-1"
    assert store.take_lock("run-2", NOW + timedelta(minutes=40), LEASE) == "run-1"


def test_a_lock_past_its_lease_is_taken_over(store: RunStore) -> None:
    store.take_lock("run-1", NOW, LEASE)
    assert store.lock_holder(NOW + LEASE) is None
    assert store.take_lock("run-2", NOW + LEASE, LEASE) == "run-2"
    assert store.lock_holder(NOW + LEASE) == "run-2"


def test_a_run_that_lost_its_lock_cannot_release_it(dynamodb: Any, store: RunStore) -> None:
    store.take_lock("run-1", NOW, LEASE)
    store.take_lock("run-2", NOW + LEASE, LEASE)
    release_lock(dynamodb, "optimizer", "run-1")
    assert store.lock_holder(NOW + LEASE) == "run-2"
    release_lock(dynamodb, "optimizer", "run-2")
    release_lock(dynamodb, "optimizer", "run-2")
    assert store.lock_holder(NOW + LEASE) is None


def test_one_of_two_runs_gets_the_lock_and_both_know_which(dynamodb: Any) -> None:
    start = threading.Barrier(8)
    client: Any = SerialClient(dynamodb)
    holders: list[str] = []

    def take(run_id: str) -> None:
        start.wait()
        holders.append(RunStore(client, "optimizer").take_lock(run_id, NOW, LEASE))

    threads = [threading.Thread(target=take, args=(f"run-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(holders) == 8
    assert len(set(holders)) == 1


def test_a_run_is_recorded_once_and_gathers_facts(store: RunStore) -> None:
    store.record_run("run-1", NOW, targets=3)
    store.record_run("run-1", NOW + timedelta(minutes=1), targets=3, batches=["0000"])
    run = store.run("run-1")
    assert run == {"run_id": "run-1", "status": "running", "started_at": NOW, "targets": 3, "batches": ["0000"]}


def test_a_run_that_is_finished_twice_keeps_its_first_end(store: RunStore) -> None:
    store.record_run("run-1", NOW)
    store.finish_run("run-1", "succeeded", NOW + timedelta(minutes=5), kept=1)
    store.finish_run("run-1", "succeeded", NOW + timedelta(minutes=9), kept=1)
    store.record_run("run-1", NOW + timedelta(minutes=10))
    run = store.run("run-1")
    assert (run["status"], run["finished_at"], run["kept"]) == ("succeeded", NOW + timedelta(minutes=5), 1)


def test_a_failed_run_that_is_redriven_can_succeed(store: RunStore) -> None:
    store.record_run("run-1", NOW)
    store.finish_run("run-1", "failed", NOW)
    store.finish_run("run-1", "succeeded", NOW + timedelta(hours=1))
    assert store.run("run-1")["status"] == "succeeded"


def test_an_unknown_run_or_change_is_named(store: RunStore) -> None:
    with pytest.raises(NoSuchRun, match="run-9"):
        store.run("run-9")
    with pytest.raises(NoSuchChange, match="memory-9"):
        store.change("memory-9")
    with pytest.raises(NoSuchChange):
        store.move("memory-9", Status.KEPT, NOW, from_any={Status.WATCHING})
    with pytest.raises(NoSuchChange):
        store.save_progress("memory-9", {})


def test_a_change_is_read_back_with_the_same_digest(store: RunStore) -> None:
    wanted = change()
    store.record_change(wanted, Status.APPROVED, NOW, verdict="automatic", rule="mode", message="Allowed.")
    stored = store.change(wanted.id)
    assert stored.change == wanted
    assert stored.change.digest == wanted.digest
    assert (stored.status, stored.verdict, stored.rule, stored.message) == (
        Status.APPROVED,
        "automatic",
        "mode",
        "Allowed.",
    )
    assert stored.times == {"approved": NOW}
    assert stored.progress == {}


def test_recording_a_change_again_moves_nothing_back(store: RunStore) -> None:
    wanted = change()
    store.record_change(wanted, Status.APPROVED, NOW)
    store.move(wanted.id, Status.APPLYING, NOW + timedelta(seconds=1), from_any={Status.APPROVED})
    store.record_change(wanted, Status.APPROVED, NOW + timedelta(minutes=1))
    assert store.change(wanted.id).status is Status.APPLYING
    assert [event["status"] for event in store.history(wanted.id)] == ["approved", "applying"]


def test_a_record_is_never_replaced_by_other_content(store: RunStore) -> None:
    store.record_change(change(), Status.AWAITING_APPROVAL, NOW)
    with pytest.raises(DifferentChange):
        store.record_change(change(after={"memory_mb": 1024}), Status.AWAITING_APPROVAL, NOW)


def test_recording_a_change_may_be_repeated_after_a_death(dynamodb: Any, store: RunStore) -> None:
    wanted = change()
    with pytest.raises(ConnectionError):
        RunStore(CrashingClient(dynamodb, "transact_write_items"), "optimizer").record_change(
            wanted, Status.APPROVED, NOW
        )
    store.record_change(wanted, Status.APPROVED, NOW + timedelta(seconds=5))
    assert [stored.change.id for stored in store.changes_of("run-1")] == [wanted.id]
    assert [event["at"] for event in store.history(wanted.id)] == [NOW]


def test_many_changes_are_recorded_even_if_some_already_are(store: RunStore) -> None:
    wanted = [Judged(change(target=f"{ARN}-{n}"), Status.APPROVED, "automatic", "mode", "Allowed.") for n in range(70)]
    store.record_changes(wanted[:1], NOW)
    store.move(wanted[0].change.id, Status.APPLYING, NOW, from_any={Status.APPROVED})
    store.record_changes(wanted, NOW)
    store.record_changes(wanted, NOW + timedelta(minutes=1))
    found = {stored.change.id: stored for stored in store.changes_of("run-1")}
    assert found.keys() == {one.change.id for one in wanted}
    assert found[wanted[0].change.id].status is Status.APPLYING
    assert found[wanted[69].change.id].message == "Allowed."
    assert [event["at"] for event in store.history(wanted[69].change.id)] == [NOW]


def test_different_content_is_found_among_many_changes(store: RunStore) -> None:
    wanted = [Judged(change(target=f"{ARN}-{n}"), Status.RECOMMENDED) for n in range(3)]
    store.record_changes(wanted, NOW)
    other = Judged(change(target=f"{ARN}-1", after={"memory_mb": 1024}), Status.RECOMMENDED)
    with pytest.raises(DifferentChange, match=other.change.id):
        store.record_changes([wanted[0], other], NOW)


def test_changes_of_a_run_are_listed_in_order_beyond_one_batch(store: RunStore) -> None:
    wanted = [change(target=f"{ARN}-{n}") for n in range(130)]
    for one in wanted:
        store.record_change(one, Status.RECOMMENDED, NOW)
    of_indexes = change(tuner=Tuner.INDEXES, action="rebuild")
    store.record_change(of_indexes, Status.RECOMMENDED, NOW)
    store.record_change(change(run_id="run-2"), Status.RECOMMENDED, NOW)
    assert [stored.change.id for stored in store.changes_of("run-1")] == sorted(one.id for one in [of_indexes, *wanted])
    assert [stored.change.id for stored in store.changes_of("run-1", Tuner.INDEXES)] == [of_indexes.id]


def test_a_move_happens_only_from_the_named_statuses(store: RunStore) -> None:
    wanted = change()
    store.record_change(wanted, Status.AWAITING_APPROVAL, NOW)
    assert not store.move(wanted.id, Status.APPLYING, NOW, from_any={Status.APPROVED})
    later = NOW + timedelta(minutes=1)
    assert store.move(wanted.id, Status.APPROVED, later, from_any={Status.AWAITING_APPROVAL}, message="Anna said yes.")
    assert store.move(wanted.id, Status.APPROVED, later + timedelta(minutes=1), from_any={Status.AWAITING_APPROVAL})
    stored = store.change(wanted.id)
    assert (stored.status, stored.message) == (Status.APPROVED, "Anna said yes.")
    assert [event["message"] for event in store.history(wanted.id)] == ["", "Anna said yes."]


def test_a_move_may_be_repeated_after_a_death(dynamodb: Any, store: RunStore) -> None:
    wanted = change()
    store.record_change(wanted, Status.APPROVED, NOW)
    with pytest.raises(ConnectionError):
        RunStore(CrashingClient(dynamodb, "transact_write_items"), "optimizer").move(
            wanted.id, Status.APPLYING, NOW, from_any={Status.APPROVED}
        )
    assert store.move(wanted.id, Status.APPLYING, NOW + timedelta(seconds=9), from_any={Status.APPROVED})
    assert store.change(wanted.id).times["applying"] == NOW
    assert len(store.history(wanted.id)) == 2


def test_of_two_different_moves_at_once_one_wins(dynamodb: Any, store: RunStore) -> None:
    wanted = change()
    store.record_change(wanted, Status.WATCHING, NOW)
    start = threading.Barrier(2)
    client: Any = SerialClient(dynamodb)
    won: list[Status] = []

    def move(to: Status) -> None:
        start.wait()
        if RunStore(client, "optimizer").move(wanted.id, to, NOW, from_any={Status.WATCHING}):
            won.append(to)

    threads = [threading.Thread(target=move, args=(to,)) for to in (Status.KEPT, Status.REVERTING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [store.change(wanted.id).status]


def test_progress_is_replaced_and_leaves_the_status_alone(store: RunStore) -> None:
    wanted = change()
    store.record_change(wanted, Status.APPLYING, NOW)
    store.save_progress(wanted.id, {"version": "7"})
    store.save_progress(wanted.id, {"version": "8", "weight": 0.1})
    stored = store.change(wanted.id)
    assert (stored.progress, stored.status) == ({"version": "8", "weight": 0.1}, Status.APPLYING)


def test_a_change_holds_its_target_while_it_is_observed(store: RunStore) -> None:
    """One that nobody ever ends does not hold it for ever."""
    made = change()
    both = (Tuner.MEMORY, Tuner.PROVISIONED_CONCURRENCY)
    store.record_change(made, Status.APPLYING, NOW)
    assert store.under_observation([made.target], both, NOW) == {}
    store.begin(made, made.target, NOW)
    found = store.under_observation([made.target, "other"], both, NOW)
    assert {key: one.change.id for key, one in found.items()} == {(made.target, made.tuner): made.id}
    assert store.under_observation([made.target], both, NOW + timedelta(days=31)) == {}
    store.move(made.id, Status.KEPT, NOW, from_any={Status.APPLYING})
    assert store.under_observation([made.target], both, NOW) == {}


def test_a_rejection_is_remembered_for_three_months(store: RunStore) -> None:
    made = change()
    later = replace(made, run_id="run-later")
    assert store.rejections([later], NOW) == {}
    store.remember_rejection(made, NOW, "Rejected by on-call: not now.")
    found = store.rejections([later], NOW + timedelta(days=89))
    assert found == {later.id: Rejection(made, NOW, NOW + timedelta(days=90), "Rejected by on-call: not now.")}
    assert store.rejections([later], NOW + timedelta(days=91)) == {}


def test_a_cool_down_is_never_shortened(store: RunStore) -> None:
    until = NOW + timedelta(days=7)
    store.cool_down(ARN, Tuner.MEMORY, until, "memory-1")
    store.cool_down(ARN, Tuner.MEMORY, NOW + timedelta(days=1), "memory-2")
    assert store.cool_downs([ARN, f"{ARN}-other"], Tuner.MEMORY) == {ARN: until}
    assert store.cool_downs([ARN], Tuner.WARMUPS) == {}
    assert store.cool_downs([], Tuner.MEMORY) == {}


def question(**fields: Any) -> Approval:
    values: dict[str, Any] = {
        "run_id": "run-1",
        "plan_key": "runs/run-1/plan.json",
        "digest": "d" * 64,
        "task_token": "token-1",
        "changes": {"memory-1": "memory", "memory-2": "memory"},
        "asked_at": NOW,
        "expires_at": NOW + timedelta(hours=24),
    }
    return Approval(**{**values, **fields})


def test_a_question_is_recorded_once(store: RunStore) -> None:
    assert store.approval("run-1") is None
    assert store.put_approval(question())
    assert not store.put_approval(question(digest="e" * 64))
    assert store.approval("run-1") == question()


def test_of_two_writers_of_an_approval_only_the_first_succeeds(store: RunStore) -> None:
    store.put_approval(question())
    asked = store.approval("run-1")
    assert asked is not None
    answers = [asked.answer(Vote("anyone", by, ("memory-1",), "", NOW), asked.digest) for by in ("Anna", "Ben")]
    assert [store.replace_approval(asked, answered) for answered in answers] == [True, False]
    assert store.approval("run-1") == answers[0]


def test_a_publication_is_recorded_before_and_after(store: RunStore) -> None:
    assert store.start_publication("RUN#run-1", NOW).message_id == ""
    assert store.start_publication("RUN#run-1", NOW + timedelta(minutes=1)).started_at == NOW
    store.end_publication("RUN#run-1", "message-1")
    assert store.start_publication("RUN#run-1", NOW).message_id == "message-1"


def test_times_without_a_zone_are_refused(store: RunStore) -> None:
    with pytest.raises(ValueError, match="zone"):
        store.take_lock("run-1", NOW.replace(tzinfo=None), LEASE)


def test_a_worse_value_is_remembered_and_forgotten_in_time(
    store: RunStore,
) -> None:
    """It is remembered for its target and tuner alone."""
    store.remember_taken_back("arn:a", Tuner.MEMORY, "512", NOW, "slower")
    store.remember_taken_back("arn:a", Tuner.MEMORY, "512", NOW, "slower")
    assert store.taken_back("arn:a", Tuner.MEMORY, NOW) == {"512": "slower"}
    assert store.taken_back("arn:a", Tuner.PROVISIONED_CONCURRENCY, NOW) == {}
    assert store.taken_back("arn:b", Tuner.MEMORY, NOW) == {}
    assert store.taken_back("arn:a", Tuner.MEMORY, NOW + timedelta(days=91)) == {}
