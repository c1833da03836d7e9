"""The `optimizer` command. Each group lives in a module of its own, imported only when it is used."""

import click

from optimizer_cli.lazy import Lazy

COMMANDS = {
    "demo": "A local account, a real deploy, a run, the report.",
    "policy": "Check a policy, show the one in use, store one.",
    "backtest": "What it would have done on the past, and what that would have saved.",
    "inspect": "Look at a database or a cache from here, change nothing.",
    "approve": "Answer the question of a run with AWS credentials.",
    "plan": "The decisions alone: JSON lines in, JSON lines out.",
}


@click.command(cls=Lazy, package="optimizer_cli.commands", purposes=COMMANDS)
@click.version_option(package_name="serverless-optimizer")
def main() -> None:
    """Tune Lambda functions, databases and caches within a policy, watch what changed, take back what was wrong."""
