"""Minutes since 1970 and moments. Without numpy, for the Lambdas that must start fast."""

from datetime import UTC, datetime, tzinfo


def minute_of(moment: datetime) -> int:
    """The number of the minute since 1970 that the moment (with a zone) lies in."""
    return int(moment.timestamp() // 60)


def moment_of(minute: int, zone: tzinfo | None = None) -> datetime:
    """The beginning of the minute, in UTC or in the zone."""
    return datetime.fromtimestamp(minute * 60, zone or UTC)
