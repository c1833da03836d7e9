"""`optimizer plan`: the tuners' pure decisions, without AWS."""

import importlib
import sys

import click

from optimizer_cli import json_lines

PLANNERS = {
    "warmups": "Pings and provisioned concurrency for the hours ahead, from invocations per minute.",
    "memory": "The next memory size to run at, from the durations seen so far.",
    "ttl": "Hit ratios that TTLs would reach, and TTLs within a memory budget, from an access trace.",
}


@click.group(help=__doc__)
def command() -> None:
    """The group."""


def _add(name: str, purpose: str) -> None:
    @command.command(name, help=f"{purpose} Reads requests from standard input until it closes.")
    def plan() -> None:
        planner = importlib.import_module(f"optimizer_cli.planners.{name}")
        sys.exit(1 if json_lines.serve(sys.stdin, sys.stdout, planner.answer) else 0)


for _name, _purpose in PLANNERS.items():
    _add(_name, _purpose)
