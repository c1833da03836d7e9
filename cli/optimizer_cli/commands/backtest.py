"""`optimizer backtest`: the tuners' decisions, played on the past."""

import click

from optimizer_cli.lazy import Lazy

BACKTESTS = {
    "warmups": "Compare cold starts, idle time and dollars with warm-ups and without.",
    "memory": "Show which memory sizes would have been tried, and what they save.",
    "ttl": "Show which cache TTLs would have been set, and what they give.",
}


@click.command(cls=Lazy, package="optimizer_cli.backtests", purposes=BACKTESTS)
def command() -> None:
    """Play the tuners' decisions on the past, and show what they would have saved.

    Each command takes recorded files, or reads the history of your account with your AWS credentials. Read-only:
    nothing is changed, no stack is needed.
    """
