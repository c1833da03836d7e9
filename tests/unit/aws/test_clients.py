"""Times in the answers of AWS."""

from datetime import UTC, datetime

import pytest
from optimizer.aws.clients import read_time

NOON = datetime(2026, 11, 30, 12, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", [NOON.timestamp(), "2026-11-30T12:00:00.500Z", "2026-11-30T13:00:00.500+01:00", str(NOON.timestamp())]
)
def test_time_is_read_from_numbers_and_texts(value: float | str) -> None:
    assert read_time(value) == NOON


def test_whole_seconds_are_in_utc() -> None:
    assert read_time(int(NOON.timestamp())).isoformat() == "2026-11-30T12:00:00+00:00"
