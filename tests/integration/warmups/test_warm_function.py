"""Warming N environments against a Lambda service that starts an environment when all others are busy."""

import io
import json
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from optimizer.core.ping import InvalidWarmup, Warmup
from optimizer.warmups.sending.send_pings import ping_client, warm_environments

WARMUP = Warmup("orders", "live", 4, 60, "run-1", "warmups-1")


class LambdaService:
    """Environments that are busy while a call is held. init_s: the duration of a cold start."""

    def __init__(self, *, init_s: float = 0.0, warm: int = 0, decorated: bool = True, throttle_after: int = 99) -> None:
        self._lock = threading.Lock()
        self._free = [f"warm-{n}" for n in range(warm)]
        self._init_s, self._decorated, self._left = init_s, decorated, throttle_after
        self.requests: list[dict[str, Any]] = []

    def invoke(self, **request: Any) -> dict[str, Any]:
        with self._lock:
            self.requests.append(request)
            self._left -= 1
            if self._left < 0:
                raise ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "Rate"}}, "Invoke")
            cold = not self._free
            instance = f"new-{len(self.requests)}" if cold else self._free.pop()
        time.sleep(self._init_s if cold else 0)
        hold_ms = json.loads(request["Payload"])["optimizer_warmup"]["hold_ms"]
        time.sleep(hold_ms / 1000)
        with self._lock:
            self._free.append(instance)
        answer = {"optimizer_warmup": {"cold": cold, "instance": instance}} if self._decorated else {"ok": True}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@pytest.mark.parametrize(("already", "init_s"), [(0, 0.0), (1, 0.3), (3, 0.3), (4, 0.0)])
def test_slow_cold_starts_do_not_lower_the_environments_met(already: int, init_s: float) -> None:
    """All requested environments are met, however slow the cold ones are."""
    service: Any = LambdaService(init_s=init_s, warm=already)
    warmed = warm_environments(service, WARMUP)
    assert (warmed.environments, warmed.failed) == (4, 0)
    assert warmed.cold == 4 - already
    assert {request["Qualifier"] for request in service.requests} == {"live"}


def test_a_hold_that_was_too_short_is_lengthened_once() -> None:
    service: Any = LambdaService(warm=1)
    arrive, numbers, invoke = threading.Lock(), iter(range(99)), service.invoke

    def one_after_another(**request: Any) -> Any:
        with arrive:
            number = next(numbers) % 3
        time.sleep(0.05 * number)
        return invoke(**request)

    service.invoke = one_after_another
    warmed = warm_environments(service, replace(WARMUP, hold_ms=40, environments=3))
    assert (warmed.environments, warmed.rounds, warmed.hold_ms) == (3, 2, 160)


def test_function_that_ran_its_own_code_is_called_only_once() -> None:
    service: Any = LambdaService(decorated=False)
    warmed = warm_environments(service, WARMUP)
    assert (warmed.failed, warmed.environments, warmed.rounds) == (4, 0, 1)
    assert "not decorated" in warmed.error


def test_calls_that_are_throttled_are_counted_and_not_repeated() -> None:
    service: Any = LambdaService(throttle_after=2)
    warmed = warm_environments(service, WARMUP)
    assert (warmed.environments, warmed.failed, warmed.calls) == (2, 2, 4)
    assert "TooManyRequestsException" in warmed.error


def test_ping_client_never_retries_and_has_enough_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    config = ping_client(60).meta.config
    assert config.max_pool_connections == 60
    assert config.retries["total_max_attempts"] == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"alias": "$LATEST"}, "LATEST"),
        ({"alias": ""}, "alias"),
        ({"environments": 0}, "environments"),
        ({"environments": True}, "environments"),
        ({"environments": 1001}, "environments"),
        ({"hold_ms": -1}, "hold_ms"),
        ({"function_name": None}, "function_name"),
    ],
)
def test_invalid_warmup_event_is_rejected_by_field(wrong: dict[str, Any], message: str) -> None:
    event = {
        "function_name": "orders",
        "alias": "live",
        "environments": 3,
        "hold_ms": 200,
        "run_id": "run",
        "change_id": "change",
    }
    assert Warmup.from_event(event).minute is None
    with pytest.raises(InvalidWarmup, match=message):
        Warmup.from_event(event | wrong)
