"""The `optimizer` command. Each group lives in a module of its own, imported only when it is used."""

import click

from optimizer_cli.lazy import Lazy

COMMANDS = {
    "demo": "A local account, a real deploy, a run, the report.",
    "policy": "Check a policy, show the one in use, store one.",
    "runs": "What ran lately, and how it ended.",
    "changes": "What was proposed, what became of it, and why.",
    "report": "What a run did: as text, as pages with pictures, as numbers.",
    "revert": "Take a change back.",
    "backtest": "What it would have done on the past, and what that would have saved.",
    "inspect": "Look at a database or a cache from here, change nothing.",
    "approve": "Answer the question of a run with AWS credentials.",
    "plan": "The decisions alone: JSON lines in, JSON lines out.",
    "completion": "Completion of commands and options in a shell.",
}


HELP = """Tune Lambda functions, databases and caches within a policy, watch what changed, take back what was wrong.

Begin with `optimizer demo`, which needs no AWS account. With a deployed stack: `optimizer policy put`, then `optimizer
runs`. Whatever a command prints for people, --json prints for programs; progress goes to standard error.

\b
Ends with
    0   done
    1   the answer is no: a policy with errors, a run that failed, a change that could not be taken back
    2   the command was used wrongly
    3   what was named does not exist
    4   AWS refused or could not be reached
"""


@click.command(cls=Lazy, package="optimizer_cli.commands", purposes=COMMANDS, help=HELP)
@click.version_option(package_name="serverless-optimizer")
def main() -> None:
    """Tune Lambda functions, databases and caches within a policy, watch what changed, take back what was wrong."""
