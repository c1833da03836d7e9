"""`optimizer prices`: the prices of Lambda that the application counts with, and AWS's own price list."""

import json
from datetime import UTC, datetime

import boto3
import click
from optimizer.policy import Policy
from optimizer.prices import MalformedPriceList
from optimizer.store import PRICES_KEY, prices_of_account, read_price_list

from optimizer_cli.application import JSON, STACK, Application, AwsTrouble, errors_in_one_sentence
from optimizer_cli.printing import echo

# The Price List API has endpoints in a few Regions only, each with the prices of all.
_ENDPOINT_REGION = "us-east-1"


@click.command(
    help="""Show where the prices of Lambda in this Region come from.

\b
    optimizer prices            the prices that the application counts with
    optimizer prices --update   read AWS's price list, and store it for it

The update needs pricing:GetProducts. The list counts for 35 days: run the
update weekly. Without it, the shipped table counts. A list that is not as AWS
documents it is not stored.
"""
)
@click.option("--update", is_flag=True, help="Read AWS's price list first, and store it in the application's bucket.")
@STACK
@JSON
@errors_in_one_sentence
def command(update: bool, stack: str, as_json: bool) -> None:
    """Print the prices."""
    documents, now = Application.find(stack).documents, datetime.now(UTC)
    region = boto3.session.Session().region_name
    if update:
        try:
            found = read_price_list(boto3.client("pricing", region_name=_ENDPOINT_REGION), region, now)
        except MalformedPriceList as malformed:
            raise AwsTrouble(f"AWS's price list is not stored: {malformed}") from malformed
        documents.write(PRICES_KEY, found.document())
    prices = prices_of_account(Policy(), documents, now)
    rates = [prices.rates(region, architecture) for architecture in ("x86_64", "arm64")]
    if as_json:
        echo(json.dumps([one.document() if one else None for one in rates], indent=1))
        return
    for architecture, one in zip(("x86_64", "arm64"), rates, strict=True):
        echo(f"{architecture}: {one.words if one else f'no price is known in {region}'}")
