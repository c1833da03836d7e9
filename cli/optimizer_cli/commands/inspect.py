"""`optimizer inspect`: findings about a database or a cache, read from this machine."""

import click

from optimizer_cli.lazy import Lazy

INSPECTIONS = {
    "indexes": "Find superfluous, unused, missing and bloated indexes in a database.",
    "cache": "Show namespaces, TTLs, memory and settings of a Redis or Valkey.",
}


@click.command(cls=Lazy, package="optimizer_cli.inspections", purposes=INSPECTIONS)
def command() -> None:
    """Examine a database or a cache from this machine.

    Read-only: each command connects to the server at --url, prints its findings with their reasons, and changes
    nothing. No stack is needed.
    """
