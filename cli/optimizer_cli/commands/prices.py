"""`optimizer prices`: the prices of Lambda that the application counts with, and AWS's own price list."""

import json
from datetime import UTC, datetime

import boto3
import click
from optimizer.policy import Policy
from optimizer.store import PRICE_LIST_REGION, PriceListNotRead, age_of_prices, prices_of_account, update_price_list

from optimizer_cli.application import JSON, STACK, Application, AwsTrouble, errors_in_one_sentence
from optimizer_cli.printing import echo


@click.command(
    help="""Show where the prices of Lambda in this Region come from.

\b
    optimizer prices            the prices that the application counts with
    optimizer prices --update   read AWS's price list now, and store it for it

The function read_prices does the same every week. The update needs
pricing:GetProducts. The list counts for 35 days; without it, the shipped table
counts. A list that is not as AWS documents it is not stored.
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
            update_price_list(boto3.client("pricing", region_name=PRICE_LIST_REGION), documents, region, now)
        except PriceListNotRead as unread:
            raise AwsTrouble(str(unread)) from unread
    prices = prices_of_account(Policy(), documents, now)
    rates = [prices.rates(region, architecture) for architecture in ("x86_64", "arm64")]
    if as_json:
        echo(json.dumps([one.document() if one else None for one in rates], indent=1))
        return
    for architecture, one in zip(("x86_64", "arm64"), rates, strict=True):
        echo(f"{architecture}: {one.words if one else f'no price is known in {region}'}")
    echo(age_of_prices(documents, now))
