"""Clients of the AWS SDK: only those used are made, each once, with retries that fit a short Lambda."""

from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config

# Adaptive mode slows down on throttling instead of only trying again; the limits keep a call that hangs
# well inside the Lambda's own timeout.
_CONFIG = Config(retries={"mode": "adaptive", "total_max_attempts": 8}, connect_timeout=3, read_timeout=20)
_ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=20)


@cache
def client(service: str, *, once: bool = False) -> Any:
    """The client of a service, by its boto3 name. Callers annotate it with the type from mypy_boto3_*. With `once`
    nothing is tried again, for calls of which a second try could not tell what became of the first.

    The same client as boto3's, made without importing boto3: its transfer manager, which nothing here uses, would be a
    fifth of every cold start.
    """
    return _session().create_client(service, config=_ONCE if once else _CONFIG)


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()
