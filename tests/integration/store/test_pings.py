"""The log of pings on an emulated DynamoDB table."""

from datetime import UTC, datetime
from typing import Any

import pytest
from optimizer.core import Warmed, Warmup, minute_of
from optimizer.store import PingLog

from tests.helpers.own_account import TABLE

FIRST = minute_of(datetime(2026, 11, 2, 9, 0, tzinfo=UTC))
DAY = 1440


def test_pings_of_a_window_of_days_take_one_query(dynamodb: Any) -> None:
    log, now = PingLog(dynamodb, TABLE), datetime(2026, 11, 2, tzinfo=UTC)
    planned = [FIRST - 1, FIRST, FIRST + 1, FIRST + DAY, FIRST + 15 * DAY - 1, FIRST + 15 * DAY]
    for minute in planned:
        for function_name in ("orders", "orders-archive"):
            warmup = Warmup(function_name, "live", 2, 0, "run", "warmups-1", minute, 0, 0)
            log.record(warmup, Warmed(2, 2, 1, 2, 0, 0.0, 0.0, 1, 0.0), now)
    asked: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: asked.append(model.name))
    found = [ping.minute for ping in log.between("orders", FIRST, FIRST + 15 * DAY)]
    assert found == planned[1:-1]
    assert asked == ["Query"]
    assert [ping.minute for ping in log.between("orders", FIRST + 1, FIRST + 2)] == [FIRST + 1]


def test_no_minute_has_no_pings_and_takes_no_query(dynamodb: Any) -> None:
    log = PingLog(dynamodb, TABLE)
    dynamodb.meta.events.register("before-call.dynamodb", lambda **_: pytest.fail("asked"))
    assert list(log.between("orders", FIRST, FIRST)) == []
    assert list(log.between("orders", FIRST, FIRST - DAY)) == []
