"""`optimizer inspect`: look at a database or a cache from here; nothing is changed."""

import click

from optimizer_cli.lazy import Lazy

INSPECTIONS = {
    "indexes": "Indexes of PostgreSQL, MySQL or MariaDB: superfluous, unused, missing, bloated.",
    "cache": "What is in a Redis or Valkey: namespaces, TTLs, memory, settings.",
}


@click.command(cls=Lazy, package="optimizer_cli.inspections", purposes=INSPECTIONS, help=__doc__)
def command() -> None:
    """The group."""
