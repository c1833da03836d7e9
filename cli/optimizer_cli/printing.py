"""Output of commands: text that others chose, such as a name, cannot control the terminal."""

from collections.abc import Iterable
from typing import Any

import click
from optimizer.core import printable


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print lines without characters that a terminal obeys or that nobody sees; JSON keeps its meaning."""
    click.echo(printable_lines(str(text)), err=err, nl=nl)


def printable_lines(text: str) -> str:
    """Return the lines with escapes for all that is not printable."""
    return "\n".join(printable(line) for line in text.split("\n"))


def console(**settings: Any) -> Any:
    """Return a console of rich whose styles are its own and never part of a text."""
    from rich.console import Console
    from rich.segment import Segment

    class PlainConsole(Console):
        def _render_buffer(self, buffer: Iterable[Segment]) -> str:
            return super()._render_buffer(
                segment if segment.control else Segment(printable_lines(segment.text), segment.style)
                for segment in buffer
            )

    return PlainConsole(**settings)
