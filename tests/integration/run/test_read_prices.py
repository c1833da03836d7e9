"""The function read_prices stores AWS's price list of its Region; where it cannot be read, the stored one stays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from local_account.price_list import StandInPricing
from optimizer.aws import clients
from optimizer.policy import Policy
from optimizer.store import (
    PRICES_KEY,
    Documents,
    NoSuchDocument,
    PriceListNotRead,
    prices_of_account,
    update_price_list,
)

from tests.helpers.own_account import BUCKET, load_handler, own_account, sample_event

REGION = "eu-central-1"
DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "GetProducts")


class FailingPricing:
    """A Price List API that fails, or answers something else."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def get_products(self, **_request: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class World:
    """The account of the application, and the Price List API that the function meets."""

    def __init__(self, app: ModuleType) -> None:
        self.app, self.pricing = app, StandInPricing()
        self.asked: list[str | None] = []
        self.documents = Documents(boto3.client("s3"), BUCKET)

    def read(self, **event: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.app.handler({**sample_event("read_prices"), **event}, None)
        return answer

    def words(self, now: datetime | None = None) -> str:
        """Return where the prices of a run come from."""
        rates = prices_of_account(Policy(), self.documents, now or datetime.now(UTC)).rates(REGION, "x86_64")
        assert rates is not None
        return rates.words


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with own_account(monkeypatch, REGION):
        made = World(load_handler("read_prices"))
        client = clients.client

        def client_of(service: str, *, region: str | None = None, **options: Any) -> Any:
            if service != "pricing":
                return client(service, **options)
            made.asked.append(region)
            return made.pricing

        monkeypatch.setattr(made.app.clients, "client", client_of)
        yield made


def test_weekly_reading_stores_the_prices_of_the_region(world: World) -> None:
    answer = world.read()
    assert answer == {
        "outcome": "read",
        "region": REGION,
        "message": "AWS's price list of 2026-11-25 was read today and counts.",
    }
    assert world.documents.read(PRICES_KEY)["region"] == REGION
    assert world.words() == "eu-central-1, 2026-11-25, AWS Price List"
    # The API has an endpoint in few Regions.
    assert world.asked == ["us-east-1"]


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (DENIED, "not authorized"),
        (EndpointConnectionError(endpoint_url="https://api.pricing.us-east-1.amazonaws.com"), "Could not connect"),
        ({"FormatVersion": "aws_v1"}, "no products"),
        ({"FormatVersion": "aws_v1", "PriceList": "none"}, "no products"),
        ({"FormatVersion": "aws_v1", "PriceList": []}, "no product of eu-central-1"),
        ({"FormatVersion": "aws_v1", "PriceList": ["{"]}, "cannot be read"),
    ],
)
def test_failed_reading_keeps_the_stored_prices_and_tells_their_age(world: World, failure: Any, why: str) -> None:
    before = datetime.now(UTC) - timedelta(days=8)
    update_price_list(world.pricing, world.documents, REGION, before)
    stored = world.documents.read(PRICES_KEY)
    world.pricing = FailingPricing(failure)  # type: ignore[assignment]
    with pytest.raises(PriceListNotRead, match=why) as failed:
        world.read()
    assert str(failed.value).endswith("AWS's price list of 2026-11-25 was read 8 days ago and counts.")
    assert world.documents.read(PRICES_KEY) == stored
    assert world.words() == "eu-central-1, 2026-11-25, AWS Price List"


def test_broken_price_is_not_stored(world: World) -> None:
    world.pricing.changed = {'"0.0000166667"': '"0.0000000000"'}
    with pytest.raises(PriceListNotRead, match="The shipped prices count: AWS's price list was not read"):
        world.read()
    with pytest.raises(NoSuchDocument):
        world.documents.read(PRICES_KEY)


def test_prices_that_were_read_long_ago_no_longer_count(world: World) -> None:
    update_price_list(world.pricing, world.documents, REGION, datetime.now(UTC) - timedelta(days=36))
    world.pricing = FailingPricing(DENIED)  # type: ignore[assignment]
    with pytest.raises(PriceListNotRead, match="36 days ago; it is too old, so the shipped prices count"):
        world.read()
    assert "AWS pricing calculator (AWS's price list was last read on" in world.words()


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_other_partitions_have_no_list(
    world: World, monkeypatch: pytest.MonkeyPatch, region: str, partition: str
) -> None:
    monkeypatch.setenv("OPTIMIZER_TOPIC_ARN", f"arn:{partition}:sns:{region}:123456789012:optimizer")
    answer = world.read()
    assert (answer["outcome"], answer["region"], world.asked) == ("not_listed", region, [])
    assert answer["message"] == "The shipped prices count: AWS's price list was not read."
