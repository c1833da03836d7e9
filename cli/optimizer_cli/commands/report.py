"""`optimizer report`: the report of a run as text, pages or JSON."""

from pathlib import Path

import click
from optimizer.store import Documents, NoSuchDocument

from optimizer_cli.application import JSON, STACK, Application, NotFound, errors_in_one_sentence
from optimizer_cli.printing import console, echo

_PAGES = "report"


@click.command(
    help="""Show the report of RUN and download its pages.

Read-only. Print the message that was sent, and the path of the pages. Ends with 3 if the run has no report (yet).

\b
    optimizer report RUN          the message and the path of the pages
    optimizer report RUN --open   the same, and open the pages
    optimizer report RUN --json   the figures, without pages
"""
)
@click.argument("run")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".optimizer"),
    show_default=True,
    help="Folder that the pages are stored in.",
)
@click.option("--open", "open_it", is_flag=True, help="Open the pages in a browser.")
@STACK
@JSON
@errors_in_one_sentence
def command(run: str, folder: Path, open_it: bool, stack: str, as_json: bool) -> None:
    """Print the report and download its pages."""
    application = Application.find(stack)
    application.store.run(run)
    documents = application.documents
    try:
        if as_json:
            echo(documents.read_bytes(f"runs/{run}/report.json").decode())
            return
        echo(documents.read_bytes(f"runs/{run}/report.txt").decode())
    except NoSuchDocument as missing:
        raise NotFound(f"Run {run} has no report: it failed or still runs. See optimizer runs.") from missing
    page = _download(documents, run, folder)
    echo(f"Pages: {page}")
    if open_it:
        click.launch(str(page))


def _is_name(run: str) -> bool:
    return run not in ("", ".", "..") and "/" not in run and "\\" not in run


def _download(documents: Documents, run: str, folder: Path) -> Path:
    prefix = f"runs/{run}/{_PAGES}/"
    keys = documents.keys(prefix)
    with console(stderr=True, highlight=False).status(f"{len(keys)} pages ..."):
        for key in [*keys, f"runs/{run}/report.json"]:
            name = key.removeprefix(prefix) if key.startswith(prefix) else "report.json"
            path = folder / run / name
            if not path.resolve().is_relative_to((folder / run).resolve()) or not _is_name(run):
                raise click.ClickException(f"{key} would be stored outside the folder {folder / run}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(documents.read_bytes(key))
    return folder / run / "index.html"
