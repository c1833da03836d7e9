"""The files beside the code: what they promise holds."""

import subprocess
from pathlib import Path

import pytest
import yaml
from shipped_template import ROOT


@pytest.mark.parametrize(
    "name", ["LICENSE", "NOTICE", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", ".editorconfig"]
)
def test_what_people_look_for_first_is_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 100


def test_the_readme_shows_every_picture_and_each_is_small() -> None:
    """`make pictures` takes them; a picture that the README does not show is of no use."""
    pictures = sorted((ROOT / "docs" / "images").iterdir())
    assert [picture.name for picture in pictures] == ["approval.png", "assessment.png", "function.png", "report.png"]
    text = (ROOT / "README.md").read_text()
    assert all(f"](docs/images/{picture.name})" in text for picture in pictures)
    assert all(picture.stat().st_size < 150_000 for picture in pictures)


def test_the_hooks_before_a_commit_need_no_network() -> None:
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [one["repo"] for one in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert all(hook["language"] == "system" for hook in hooks)
    assert all(Path(ROOT / hook["entry"].split()[0]).exists() for hook in hooks)


def test_no_file_is_tracked_and_ignored_at_once() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - git itself
    assert done.stdout == ""
