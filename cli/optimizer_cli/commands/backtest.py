"""`optimizer backtest`: what the tuners would have done on the past, and what that would have saved."""

import click

from optimizer_cli.lazy import Lazy

BACKTESTS = {
    "warmups": "Cold starts, idle time and dollars with warm-ups and without, beside what else could be done.",
    "memory": "Memory sizes that would have been tried, and what they save.",
    "ttl": "TTLs that would have been set: hit ratio, memory and dollars on time not seen.",
}


@click.command(cls=Lazy, package="optimizer_cli.backtests", purposes=BACKTESTS, help=__doc__)
def command() -> None:
    """The group."""
