"""Groups of commands that import a command only when it is used, so that help and completion stay fast."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

from optimizer_cli.printing import printable_lines


class Lazy(click.Group):
    """`purposes`: name of each command and one line for the help. A command is `command` in `package`.NAME."""

    def __init__(self, *arguments: Any, package: str, purposes: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._package = package
        self._purposes = purposes

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; the message of an error cannot control the terminal."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = printable_lines(error.message)  # type: ignore[misc]  # it is printed after this
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return all names, in the order given."""
        return list(self._purposes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return the command, or None if there is none of this name."""
        if cmd_name not in self._purposes:
            return None
        command = importlib.import_module(f"{self._package}.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - our own module
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from the purposes, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._purposes.items()))
