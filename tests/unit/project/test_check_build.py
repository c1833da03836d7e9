"""A build that differs from the lock is found out, file by file."""

import base64
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from check_build import ROOT, CannotCheck, differences, distributions

FILES = {
    "one/__init__.py": b"",
    "one/two.py": b"TWO = 2\n",
    "one-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: One\nVersion: 1.0\n",
    "one-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nTag: py3-none-any\nTag: cp313-cp313-manylinux_2_28_aarch64\n",
}
INFO = "WarmFunction/one-1.0.dist-info"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build of one function with one distribution."""
    package = tmp_path / "build" / "WarmFunction"
    own = ROOT / "functions" / "warm_function"
    files = {**FILES, "one-1.0.dist-info/RECORD": record(FILES)}
    files |= {path.name: path.read_bytes() for path in own.iterdir() if path.is_file()}
    for name, content in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_bytes(content)
    return tmp_path / "build"


@pytest.fixture
def wheels(tmp_path: Path) -> dict[tuple[str, str], Path]:
    """The wheel of that distribution."""
    return {("one", "1.0"): wheel(tmp_path, FILES, record(FILES))}


def wheel(folder: Path, files: dict[str, bytes], said: bytes) -> Path:
    """Write a wheel with these files and this RECORD."""
    path = folder / "one-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**files, "one-1.0.dist-info/RECORD": said}.items():
            archive.writestr(name, content)
    return path


def record(files: dict[str, bytes]) -> bytes:
    """Return a RECORD of these files."""
    digests = {name: base64.urlsafe_b64encode(hashlib.sha256(content).digest()) for name, content in files.items()}
    lines = [f"{name},sha256={digest.decode().rstrip('=')},{len(files[name])}" for name, digest in digests.items()]
    return "\n".join([*lines, "one-1.0.dist-info/RECORD,,"]).encode()


def test_distributions_are_read_from_their_metadata(build: Path) -> None:
    (found,) = distributions(build)
    assert (found.name, found.version, found.folder) == ("one", "1.0", build / "WarmFunction")
    assert found.platforms == {"any", "manylinux_2_28_aarch64"}


def test_a_build_that_matches_the_lock_has_no_differences(build: Path, wheels: dict[tuple[str, str], Path]) -> None:
    assert differences(build, wheels) == []


def change(path: Path) -> None:
    """Change a file."""
    path.write_bytes(path.read_bytes() + b"#")


@pytest.mark.parametrize(
    ("name", "act", "said"),
    [
        ("WarmFunction/one/two.py", change, "WarmFunction: one/two.py is in no wheel that is in dev.lock"),
        ("WarmFunction/one/two.py", Path.unlink, "WarmFunction: one/two.py is missing"),
        ("WarmFunction/one/three.py", Path.touch, "WarmFunction: one/three.py is in no wheel that is in dev.lock"),
        ("WarmFunction/app.py", change, "WarmFunction: app.py is in no wheel that is in dev.lock"),
        (f"{INFO}/RECORD", change, "WarmFunction: one-1.0.dist-info/RECORD is in no wheel that is in dev.lock"),
    ],
)
def test_file_that_differs_is_named(
    name: str, act: Callable[[Path], None], said: str, build: Path, wheels: dict[tuple[str, str], Path]
) -> None:
    act(build / name)
    assert differences(build, wheels) == [said]


def test_distribution_that_is_not_in_the_lock_is_named(build: Path) -> None:
    said, *files = differences(build, {})
    assert said == "WarmFunction: one 1.0 is not in dev.lock"
    assert len(files) == len(FILES) + 1


def test_wheel_whose_files_are_not_as_recorded_is_refused(build: Path, tmp_path: Path) -> None:
    other = wheel(tmp_path, {**FILES, "one/two.py": b"TWO = 3\n"}, record(FILES))
    with pytest.raises(CannotCheck, match=r"one/two.py is not as RECORD says"):
        differences(build, {("one", "1.0"): other})


def test_folder_without_a_build_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match="run `sam build` first"):
        distributions(tmp_path)
