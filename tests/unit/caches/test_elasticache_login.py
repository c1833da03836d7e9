"""The token for a log-in to ElastiCache, compared with the one that botocore signs."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.compat import parse_qs, urlsplit
from botocore.credentials import Credentials
from optimizer.caches.probe.login import Keys, sign_token

NOW = datetime(2026, 11, 21, 23, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize("session", [None, "FwoGZXIvYXdzEJr//////////wEaDNq+/="])
@pytest.mark.parametrize("serverless", [False, True])
@pytest.mark.parametrize("user", ["looker", "a user&more=å"])
def test_token_has_the_signature_of_botocore(monkeypatch, session, serverless, user):
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: NOW.replace(tzinfo=None))
    parameters = {"Action": "connect", "User": user} | ({"ResourceType": "ServerlessCache"} if serverless else {})
    request = AWSRequest("GET", "http://shop-cache/", params=parameters)
    SigV4QueryAuth(Credentials("AKID", "s3cret/+", session), "elasticache", "eu-central-1", expires=900).add_auth(
        request
    )
    ours = sign_token("Shop-Cache", user, "eu-central-1", Keys("AKID", "s3cret/+", session), NOW, serverless=serverless)
    assert ours.startswith("shop-cache/?")
    assert parse_qs(urlsplit(f"http://{ours}").query) == parse_qs(urlsplit(request.url).query)


def test_token_accepts_a_clock_of_any_zone():
    keys = Keys("AKID", "s3cret")
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    assert sign_token("c", "u", "r", keys, NOW) == sign_token("c", "u", "r", keys, there)


def test_keys_do_not_show_the_secret():
    assert "s3cret" not in repr(Keys("AKID", "s3cret", "t0ken"))
