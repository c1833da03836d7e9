"""`optimizer report`: what a run did, as text, as pages or as numbers."""

from pathlib import Path

import click
from optimizer.documents import Documents, NoSuchDocument
from rich.console import Console

from optimizer_cli.application import JSON, STACK, Application, NotFound, said_plainly

_PAGES = "report"


@click.command(
    help="""The report of RUN.

\b
    optimizer report RUN          the message, then where its pages were put
    optimizer report RUN --open   and open them
    optimizer report RUN --json   the numbers behind them
"""
)
@click.argument("run")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".optimizer"),
    show_default=True,
    help="Where the pages are put.",
)
@click.option("--open", "open_it", is_flag=True, help="Open the page in a browser.")
@STACK
@JSON
@said_plainly
def command(run: str, folder: Path, open_it: bool, stack: str, as_json: bool) -> None:
    """Show it."""
    application = Application.find(stack)
    application.store.run(run)
    documents = application.documents
    try:
        if as_json:
            click.echo(documents.read_bytes(f"runs/{run}/report.json").decode())
            return
        click.echo(documents.read_bytes(f"runs/{run}/report.txt").decode())
    except NoSuchDocument as missing:
        raise NotFound(f"Run {run} has no report (yet): it failed or still runs. See optimizer runs.") from missing
    page = _download(documents, run, folder)
    click.echo(f"Pages: {page}")
    if open_it:
        click.launch(str(page))


def _download(documents: Documents, run: str, folder: Path) -> Path:
    prefix = f"runs/{run}/{_PAGES}/"
    keys = documents.keys(prefix)
    with Console(stderr=True, highlight=False).status(f"{len(keys)} pages ..."):
        for key in [*keys, f"runs/{run}/report.json"]:
            name = key.removeprefix(prefix) if key.startswith(prefix) else "report.json"
            path = folder / run / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(documents.read_bytes(key))
    return folder / run / "index.html"
