"""Clients of the AWS SDK: only those used are made, each once, with retries that fit a short Lambda."""

from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config

# Adaptive mode slows down on throttling instead of only trying again; the limits keep a call that hangs
# well inside the Lambda's own timeout.
_PATIENT: Any = {"mode": "adaptive", "total_max_attempts": 8}
_ONCE: Any = {"total_max_attempts": 1}


@cache
def client(service: str, *, once: bool = False, answers_within_s: int = 20) -> Any:
    """The client of a service, by its boto3 name. Callers annotate it with the type from mypy_boto3_*. With `once`
    nothing is tried again, for calls of which a second try could not tell what became of the first.
    `answers_within_s`: the longest wait for an answer, of services that take their time.

    The same client as boto3's, made without importing boto3: its transfer manager, which nothing here uses, would be a
    fifth of every cold start.
    """
    config = Config(retries=_ONCE if once else _PATIENT, connect_timeout=3, read_timeout=answers_within_s)
    return _session().create_client(service, config=config)


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()
