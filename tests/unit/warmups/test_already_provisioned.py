"""Pings and provisioned concurrency do not warm the same environments in the same hours."""

from datetime import UTC, datetime

import numpy as np
import pytest
from optimizer.policy.model import Warmups
from optimizer.traffic.history import Series
from optimizer.warmups.already_provisioned import ProvisionedHours
from optimizer.warmups.plan import plan_warmups
from optimizer.warmups.propose import WarmupFacts, warmup_request

START = int(datetime(2026, 11, 9, tzinfo=UTC).timestamp()) // 60
OFFICE = ProvisionedHours("Europe/Berlin", tuple(2 if h // 24 < 5 and 8 <= h % 24 < 18 else 0 for h in range(168)))


def test_need_excludes_hours_with_enough_provisioned() -> None:
    """Minutes that need no more than is provisioned at their time of the day ahead need no pings."""
    need = np.full(7 * 1440, 2.0)
    need[:60] = np.nan
    # It ends on a Monday at midnight, UTC.
    left = OFFICE.unmet_need(need, START - len(need), 24).reshape(7, 24, 60)
    assert np.isnan(left[0, 0]).all()
    # In Berlin it is an hour later: from seven to seventeen UTC two are provisioned on that Monday.
    assert (left[:, 7:17] == 0).all()
    assert (left[1:, :7] == 2).all()
    assert (left[:, 17:] == 2).all()
    saturday = START + 5 * 1440
    assert (OFFICE.unmet_need(need, saturday - len(need), 24)[60:] == 2).all()


def test_ping_for_more_includes_the_provisioned_environments() -> None:
    assert (OFFICE.unmet_need(np.full(1440, 3.0), START - 1440, 24) == 3).all()


def test_no_pings_are_planned_for_hours_that_are_provisioned() -> None:
    minute = np.arange(14 * 1440)
    # Every day calls come at half past nine and at half past twenty, UTC.
    calls = np.where(np.isin(minute % 1440, (9 * 60 + 30, 20 * 60 + 30)), 2.0, 0.0)
    series = Series(START - len(minute), {
        "invocations": calls,
        "duration_ms": np.where(calls > 0, 900.0, np.nan),
        "concurrency": np.where(calls > 0, 2.0, np.nan),
    })  # fmt: skip
    policy = Warmups(idle_minutes_per_cold_start=60.0)
    every_day = ProvisionedHours("UTC", (2,) * 168)
    for provisioned, hours in ((None, {9, 20}), (OFFICE, {20}), (every_day, set())):
        live = WarmupFacts(512, "arm64", True, 0, (), provisioned)
        made = plan_warmups(warmup_request(series, "UTC", policy, live.need))
        assert {(at + 10) // 60 % 24 for at, _ in made.pings} == hours


def test_provisioned_hours_must_be_a_week() -> None:
    with pytest.raises(ValueError, match="168"):
        ProvisionedHours.from_document({"timezone": "UTC", "hours": [1, 2]})
