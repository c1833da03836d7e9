"""`optimizer backtest`: what the tuners would have done on the past, and what that would have saved."""

import importlib

import click

BACKTESTS = {
    "warmups": "Cold starts, idle time and dollars with warm-ups and without, beside what else could be done.",
}


class Lazy(click.Group):
    """Imports a back-test when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(BACKTESTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in BACKTESTS:
            return None
        command = importlib.import_module(f"optimizer_cli.backtests.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - our own module
        return command


@click.command(cls=Lazy, help=__doc__)
def command() -> None:
    """The group."""
