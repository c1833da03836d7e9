"""Consumers of queues and streams: nobody waits for them, so they are not tuned for latency."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from optimizer import guardrails
from optimizer.capacity.planner import CapacityPlanner
from optimizer.core import Change, NoChange, Tuner
from optimizer.guardrails import memory as memory_guardrail
from optimizer.policy.model import Policy
from optimizer.policy.overrides import settings_of_change
from optimizer.store import NoSuchDocument

from tests.unit.capacity.test_failing_calls import ARN, facts, size

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUEUE = {f"{ARN}:live": ["arn:aws:sqs:eu-west-1:123456789012:incoming"]}
PROMISE = {"max_p95_ms": 50.0}
TARGET = {"function_name": "orders", "function_arn": ARN, "tags": {"team": "x"}}


class Listed:
    """The listing of event sources that a run of warm-ups wrote; None: there is none."""

    def __init__(self, sources: Any) -> None:
        self._sources = sources

    def read(self, key: str) -> Any:
        assert key == "history/warmups/event.sources.json"
        if self._sources is None:
            raise NoSuchDocument(key)
        return {"run_id": "run", "sources": self._sources}


def policy(memory: dict[str, Any], **parts: Any) -> Policy:
    memory = {"max_slowdown": 3.0, "sizes_mb": [128, 256, 512, 1024, 2048], **memory}
    return Policy.from_document({"version": 1, "mode": "auto", "memory": memory, **parts})


def decide(said: Policy, sources: Any) -> Change | NoChange:
    documents: Any = Listed(sources)
    unused: Any = None
    planner = CapacityPlanner(documents, unused, unused, said, "run", NOW, unused)
    (found,) = planner._decide(facts(size(1024, 100.0)), TARGET, [Tuner.MEMORY])
    return found


@pytest.mark.parametrize("memory", [PROMISE, {"goal": "balanced"}])
def test_consumer_is_not_tuned_for_latency(memory: dict[str, Any]) -> None:
    """A promise or the goal balanced keeps the size of a function that people call, and not that of a consumer."""
    called, consumer = decide(policy(memory), {}), decide(policy(memory), QUEUE)
    assert not isinstance(called, Change) or called.after["memory_mb"] > 1024
    assert isinstance(consumer, Change)
    assert consumer.after == {"memory_mb": 512}
    assert "A queue or stream calls it, so nobody waits for it" in consumer.reason


@pytest.mark.parametrize("memory", [PROMISE, {"goal": "balanced"}])
def test_guardrails_and_observation_keep_to_that(memory: dict[str, Any]) -> None:
    said = policy(memory)
    change = decide(said, QUEUE)
    assert isinstance(change, Change)
    live = memory_guardrail.MemoryState(1024)
    assert guardrails.recheck(change, live, said, NOW) is None
    assert guardrails.recheck(change, live, said, NOW, {"team": "x"}) is None
    watched = settings_of_change(said, change).memory
    assert (watched.max_p95_ms, watched.goal) == (None, "cost_guarded")
    of_people = replace(
        change, evidence={**change.evidence, "nobody_waits": False, "p95_ms": 500.0, "price_ratio": 0.99}
    )
    assert guardrails.recheck(of_people, live, said, NOW) is not None


def test_promise_of_an_override_does_not_count_for_a_consumer() -> None:
    said = policy({}, overrides=[{"tags": {"team": "x"}, "memory": PROMISE}])
    assert not isinstance(decide(said, {}), Change)
    change = decide(said, QUEUE)
    assert isinstance(change, Change)
    assert guardrails.recheck(change, memory_guardrail.MemoryState(1024), said, NOW, {"team": "x"}) is None


def test_consumer_that_people_call_too_keeps_its_promise() -> None:
    said = policy(PROMISE, warmups={"include_consumers": ["ord*"]})
    assert not isinstance(decide(said, QUEUE), Change)


def test_consumers_are_not_known_before_a_run_of_warmups() -> None:
    assert not isinstance(decide(policy(PROMISE), None), Change)


def test_policy_without_promises_reads_no_listing() -> None:
    documents: Any = None
    unused: Any = None
    planner = CapacityPlanner(documents, unused, unused, policy({}), "run", NOW, unused)
    (found,) = planner._decide(facts(size(1024, 100.0)), TARGET, [Tuner.MEMORY])
    assert isinstance(found, Change)
    assert "nobody_waits" not in found.evidence
