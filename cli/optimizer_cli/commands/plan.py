"""`optimizer plan`: the tuners' decisions alone, without AWS."""

import importlib
import sys

import click

from optimizer_cli import json_lines

PLANNERS = {
    "warmups": "Plan pings and provisioned concurrency from past traffic.",
    "memory": "Plan the next memory size from the durations seen so far.",
    "ttl": "Plan TTLs within a memory budget from an access trace.",
}

_HELP = """{}

Read one JSON request a line from standard input until it closes; print one JSON answer a line. Ends with 1 if a request
could not be answered.
"""


@click.group()
def command() -> None:
    """Run a tuner's decision alone: JSON lines in, JSON lines out.

    Each command reads requests from standard input until it closes and prints one answer a line, so that other
    programs can use the decisions. Read-only: no AWS account is used.
    """


def _add(name: str, purpose: str) -> None:
    @command.command(name, help=_HELP.format(purpose))
    def plan() -> None:
        planner = importlib.import_module(f"optimizer_cli.planners.{name}")
        answer = planner.Successive().answer if hasattr(planner, "Successive") else planner.answer
        sys.exit(1 if json_lines.serve(sys.stdin, sys.stdout, answer) else 0)


for _name, _purpose in PLANNERS.items():
    _add(_name, _purpose)
