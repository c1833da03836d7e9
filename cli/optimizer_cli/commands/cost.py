"""`optimizer cost`: what the application itself costs a month."""

import json

import click
from optimizer.assess import cost_table, own_bill, usual_use

from optimizer_cli import tables
from optimizer_cli.application import JSON
from optimizer_cli.printing import echo


@click.command(
    help="""Show what the application itself costs a month, by the size of the fleet.

Read-only; needs no AWS account. The prices are AWS's list prices, the same with which the tuners decide. It assumes
that a tenth of the functions is kept warm and a tenth is changed each month: docs/cost.md.

\b
    optimizer cost                    the table of docs/cost.md
    optimizer cost --functions 250    your own fleet, item by item
"""
)
@click.option("--functions", type=click.IntRange(0, 1_000_000), help="Number of functions. Default: several sizes.")
@click.option("--databases", type=click.IntRange(0, 10_000), default=0, help="Number of databases.")
@click.option("--caches", type=click.IntRange(0, 10_000), default=0, help="Number of caches.")
@JSON
def command(functions: int | None, databases: int, caches: int, as_json: bool) -> None:
    """Print the bill."""
    if functions is None and not as_json:
        echo(cost_table(), nl=False)
        return
    bill = own_bill(usual_use(functions or 0, databases, caches))
    if as_json:
        echo(json.dumps({"usd_month": dict(bill), "together": sum(bill.values())}, indent=1))
        return
    rows = [(item, f"{usd:,.2f}") for item, usd in bill.items()]
    rows.append(("together", f"{sum(bill.values()):,.2f}"))
    tables.show(f"{functions:,} functions, USD a month", ("item", "USD"), rows, right=("USD",))
