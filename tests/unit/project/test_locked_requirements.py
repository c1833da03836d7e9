"""What `sam build` installs is pinned to what the tests run with."""

from pathlib import Path

import pytest
from check_build import LOCK, ROOT, locked
from locked_requirements import NotLocked, needs, text, with_dependencies

LOCKED = locked(LOCK.read_text())


def test_every_package_that_sam_builds_says_what_it_needs() -> None:
    folders = {path.parent.relative_to(ROOT) for path in ROOT.glob("functions/*/app.py")} | {Path("layer")}
    assert {Path(folder) for folder in needs()} == folders


@pytest.mark.parametrize("folder", needs())
def test_requirements_are_generated_from_the_lock(folder: str) -> None:
    """A dependency that is bumped, added or taken out by hand fails this."""
    assert (ROOT / folder / "requirements.txt").read_text() == text(needs()[folder], LOCKED), "run `make requirements`"


def test_dependencies_of_dependencies_are_pinned() -> None:
    assert with_dependencies(("pg8000",)) == {"asn1crypto", "pg8000", "python-dateutil", "scramp", "six"}
    assert with_dependencies(()) == set()


def test_package_that_is_not_in_the_lock_is_named() -> None:
    with pytest.raises(NotLocked, match=r"numpy is not in dev\.lock"):
        text(("numpy",), {})


def test_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(NotLocked, match="no-such-package is not installed"):
        text(("no-such-package",), LOCKED)


def test_version_that_is_not_installed_is_named() -> None:
    with pytest.raises(NotLocked, match=r"numpy .* is installed and 0.1 is locked"):
        text(("numpy",), {"numpy": ("0.1", "")})
