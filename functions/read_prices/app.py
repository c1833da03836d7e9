"""ReadPrices: read AWS's price list of Lambda and the account's own usage; called by a weekly schedule."""

from datetime import UTC, datetime
from typing import Any

from optimizer.aws import Environment, clients, logged
from optimizer.run import read_usage
from optimizer.store import PRICE_LIST_REGION, USAGE_KEY, Documents, age_of_prices, update_price_list

# Other partitions have no endpoint of the Price List API, or prices in another currency.
_LISTED_PARTITION = "aws"


@logged("read_prices")
def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Store prices and usage, which decides the tier; event and answer are in docs/architecture.md, read_prices."""
    environment, now = Environment.read(), datetime.now(UTC)
    _, partition, _, region, *_ = environment.topic_arn.split(":")
    documents = Documents(clients.client("s3"), environment.bucket)
    outcome = "not_listed"
    if partition == _LISTED_PARTITION:
        update_price_list(clients.client("pricing", region=PRICE_LIST_REGION), documents, region, now)
        outcome = "read"
    usage = read_usage(clients.client("lambda"), clients.client("cloudwatch"), now)
    documents.write(USAGE_KEY, usage.document())
    return {"outcome": outcome, "region": region, "message": age_of_prices(documents, now)}
