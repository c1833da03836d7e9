"""The `optimizer` command. Each group lives in a module of its own, imported only when it is used."""

import click

from optimizer_cli.lazy import Lazy

COMMANDS = {
    "assess": "Say what could be saved and be faster in an account; read-only.",
    "cost": "Show what the application itself costs a month.",
    "demo": "Deploy into a local AWS account, run once, show the report.",
    "doctor": "Check a deployed stack, one line for each thing that can be wrong.",
    "policy": "Check a policy file, show the policy in use, store a new one.",
    "run": "Start a run again with the same input.",
    "runs": "List recent runs and how they ended.",
    "changes": "List changes with their status and reason.",
    "report": "Show the report of a run as text, pages or JSON.",
    "revert": "Roll a change back.",
    "backtest": "Play the tuners' decisions on the past, and show the savings.",
    "inspect": "Examine a database or a cache; read-only.",
    "approvals": "Manage the addresses to which approvers get their links.",
    "approve": "Approve or reject the changes that a run waits for.",
    "prices": "Show the prices that count, and read AWS's price list for the application.",
    "plan": "Run a tuner's decision alone: JSON lines in, JSON lines out.",
    "completion": "Print the completion script for a shell.",
}


HELP = """Tune Lambda functions, databases and caches within a policy, and roll back what made things worse.

Begin with `optimizer assess`, which changes nothing in your account, or with `optimizer demo`, which needs none. With
a deployed stack: `optimizer policy put`, then `optimizer runs`. Commands print tables and text for people, and JSON for
programs with --json; progress goes to standard error.

\b
Exit codes
    0   done
    1   the result is negative: a policy with errors, a run that failed, a
        change that could not be rolled back
    2   the command line is wrong
    3   the named run, change or stack does not exist
    4   AWS refused the call or could not be reached
"""


@click.command(cls=Lazy, package="optimizer_cli.commands", purposes=COMMANDS, help=HELP)
@click.version_option(package_name="serverless-optimizer")
def main() -> None:
    """Tune Lambda functions, databases and caches within a policy."""
