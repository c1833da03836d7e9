"""The wheel of each package: its metadata, its licence, and only its own names."""

import subprocess
import tomllib
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
from shipped_template import ROOT
from trove_classifiers import classifiers

# Each folder with a pyproject.toml, and the top-level names that its wheel installs.
PACKAGES = {
    ".": {"optimizer", "optimizer_cli", "local_account"},
    "packages/optimizer-cache": {"optimizer_cache"},
    "packages/optimizer-connections": {"optimizer_connections"},
    "packages/optimizer-warmable": {"optimizer_warmable"},
}


@pytest.fixture(scope="module", params=PACKAGES)
def package(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def wheel(package: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with `uv build`, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--wheel", "--offline", "--no-build-isolation", "--python", ROOT / ".venv" / "bin" / "python"]
    command = [ROOT / ".build" / "uv" / "bin" / "uv", "build", "--quiet", *options, "--out-dir", folder, ROOT / package]
    subprocess.run(command, check=True)  # noqa: S603 - our own build
    (found,) = folder.glob("*.whl")
    return found


def parts(wheel: Path) -> tuple[list[str], Message, str]:
    """Return the names of all files, the metadata, and the folder of the metadata."""
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        (path,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        return names, Parser().parsestr(archive.read(path).decode()), path.rpartition("/")[0]


def test_a_wheel_has_licence_readme_and_classifiers(package: str, wheel: Path) -> None:
    names, metadata, folder = parts(wheel)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert f"{folder}/licenses/LICENSE" in names
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (ROOT / package / "README.md").read_text()
    stated = metadata.get_all("Classifier")
    assert stated is not None
    assert "Typing :: Typed" in stated
    assert set(stated) <= classifiers
    assert metadata["Keywords"]


def test_a_wheel_installs_only_the_projects_own_names(package: str, wheel: Path) -> None:
    names, _, folder = parts(wheel)
    assert {name.partition("/")[0] for name in names} - {folder} == PACKAGES[package]


def test_every_top_level_package_is_typed(package: str, wheel: Path) -> None:
    names, _, _ = parts(wheel)
    assert {f"{name}/py.typed" for name in PACKAGES[package]} <= set(names)


def test_the_licence_is_the_same_in_every_package(package: str) -> None:
    assert (ROOT / package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_every_package_of_the_repository_is_tested() -> None:
    found = {
        str(path.parent.relative_to(ROOT))
        for path in (ROOT, *ROOT.glob("packages/*"))
        for path in path.glob("pyproject.toml")
    }
    assert found == set(PACKAGES)


def test_every_package_has_the_version_of_the_changelog(package: str) -> None:
    version = tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## [{version}] - " in (ROOT / "CHANGELOG.md").read_text()
