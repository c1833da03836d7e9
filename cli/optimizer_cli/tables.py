"""Tables for people, on standard output."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from optimizer.core import printable
from rich.table import Table

from optimizer_cli.printing import console


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print a table; columns named in `right` hold numbers. On a pipe the table is as wide as it needs to be."""
    out = console(highlight=False)
    if not out.is_terminal:
        out = console(highlight=False, width=240)
    table = Table(title=title, title_justify="left", expand=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(printable, row))
    out.print(table, markup=False)


def moment(at: datetime | None) -> str:
    """Return local time to the minute."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}" if at else "-"
