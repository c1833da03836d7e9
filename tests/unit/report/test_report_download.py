"""Test that the pages of a report are stored below the folder of the report alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from optimizer_cli.commands.report import _download


def bucket(*names: str) -> Any:
    keys = [f"runs/r/report/{name}" for name in names]
    return SimpleNamespace(keys=lambda _prefix: keys, read_bytes=lambda key: key.encode())


@pytest.mark.parametrize("name", ["../x.html", "../../x.html", "functions/../../x.html", "/etc/x.html", "a/../../../x"])
def test_key_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "reports"
    with pytest.raises(click.ClickException, match="outside the folder"):
        _download(bucket("index.html", name), "r", folder)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"index.html"}


@pytest.mark.parametrize("run", ["..", ".", "../r", "a/b", "a\\b", ""])
def test_run_that_is_a_path_is_refused(tmp_path: Path, run: str) -> None:
    documents = SimpleNamespace(keys=lambda _prefix: [], read_bytes=lambda _key: b"x")
    with pytest.raises(click.ClickException):
        _download(documents, run, tmp_path / "reports")  # type: ignore[arg-type]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_pages_are_stored_by_their_names(tmp_path: Path) -> None:
    page = _download(bucket("index.html", "functions/orders.html"), "r", tmp_path)
    assert page == tmp_path / "r" / "index.html"
    assert (tmp_path / "r" / "functions" / "orders.html").read_text() == "runs/r/report/functions/orders.html"
