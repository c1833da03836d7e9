"""Clients of the AWS SDK. Each is created once, on first use, with retries that fit a short Lambda."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.utils import parse_timestamp

# Adaptive mode slows down on throttling instead of only trying again; the limits end a hanging call well before the
# Lambda's own timeout.
_PATIENT: Any = {"mode": "adaptive", "total_max_attempts": 8}
_ONCE: Any = {"total_max_attempts": 1}


@cache
def client(service: str, *, once: bool = False, answers_within_s: int = 20, region: str | None = None) -> Any:
    """Return the client of a service by its boto3 name. Callers annotate it with the type from mypy_boto3_*.

    `once`: never retry, for calls whose outcome a retry could not tell. `answers_within_s`: longest wait for an answer
    of a slow service. `region`: of a service that few Regions have; None takes the Lambda's own.

    It is the same client as boto3's, without the import of boto3: its transfer manager, which nothing here uses, would
    take a fifth of every cold start.
    """
    return new_client(service, once=once, answers_within_s=answers_within_s, region=region)


def new_client(service: str, *, once: bool = False, answers_within_s: int = 20, region: str | None = None) -> Any:
    """Return a client of one's own, for callers that register handlers of its events."""
    config = Config(retries=_ONCE if once else _PATIENT, connect_timeout=3, read_timeout=answers_within_s)
    return _session().create_client(service, region_name=region, config=config)


@cache
def _session() -> botocore.session.Session:
    session = botocore.session.get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=read_time)
    return session


def read_time(value: Any) -> datetime:
    """Return the time of an answer, in UTC.

    Answers of CloudWatch hold tens of thousands of times as numbers, and botocore takes longer for each of them than
    for all the rest, because it looks up the time zone of the machine."""
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC)
    parsed: datetime = parse_timestamp(value)
    return parsed
