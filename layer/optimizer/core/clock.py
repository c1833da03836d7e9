"""Minutes since 1970, and moments. Needs no numpy, for the Lambdas that must start fast."""

from datetime import UTC, datetime, tzinfo


def minute_of(moment: datetime) -> int:
    """Return the minute since 1970 of a moment that has a time zone."""
    return int(moment.timestamp() // 60)


def moment_of(minute: int, zone: tzinfo | None = None) -> datetime:
    """Return the beginning of a minute since 1970, in UTC or in the given zone."""
    return datetime.fromtimestamp(minute * 60, zone or UTC)
