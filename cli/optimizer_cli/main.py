"""The `optimizer` command. Each group lives in a module of its own, imported only when it is used."""

import importlib

import click

COMMANDS = {
    "demo": "A local account, a real deploy, a run, the report.",
    "policy": "Check a policy, show the one in use, store one.",
    "backtest": "What it would have done on the past, and what that would have saved.",
    "plan": "The decisions alone: JSON lines in, JSON lines out.",
}


class Lazy(click.Group):
    """A group that imports a command's module when it is asked for, so that `--help` and completion stay fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"optimizer_cli.commands.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - our own module
        return command


@click.command(cls=Lazy)
@click.version_option(package_name="serverless-optimizer")
def main() -> None:
    """Tune Lambda functions, databases and caches within a policy, watch what changed, take back what was wrong."""
