"""Compare the output of `sam build` with the lock that the tests ran with: `python3.13 local/check_build.py [BUILD]`.

SAM checks hashes only of the files that it downloads first. On a machine whose processor differs from that of the
Lambdas, SAM then downloads wheels for the Lambdas by name and version alone, and unpacks them unchecked. This program
therefore compares each installed distribution, file by file, with a wheel whose hash is in requirements/dev.lock; every
other file must be the project's own. It needs Python 3.13 with pip, and nothing else.
"""

import argparse
import base64
import csv
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements" / "dev.lock"
BUILD = ROOT / ".aws-sam" / "build"
LAYER = "OptimizerLayer"
_LOCKED = re.compile(r"^([\w.-]+)==(\S+) \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", re.MULTILINE)
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
# pip unpacks the files of these folders into site-packages, and so does SAM.
_UNPACKED = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")


class CannotCheck(RuntimeError):
    """There is no build, or the wheels in the lock cannot be downloaded; the message is one line."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """An installed distribution; `tags` are the wheel's tags for Python, ABI and platform."""

    name: str
    version: str
    tags: frozenset[str]
    folder: Path

    @property
    def platforms(self) -> frozenset[str]:
        """Return the platforms that the wheel is for."""
        return frozenset(tag.rpartition("-")[2] for tag in self.tags)


def main() -> int:
    """Print each difference; return 1 if there is one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path, nargs="?", default=BUILD, help="folder that `sam build` wrote")
    build = parser.parse_args().build
    try:
        found = distributions(build)
        with tempfile.TemporaryDirectory() as folder:
            wheels = download(found, LOCK.read_text(), Path(folder))
            different = differences(build, wheels)
    except CannotCheck as error:
        print(error, file=sys.stderr)
        return 1
    for difference in different:
        print(difference, file=sys.stderr)
    if not different:
        print(f"{len(found)} distributions in {build} are those in {LOCK.name}.")
    return 1 if different else 0


def distributions(build: Path) -> list[Distribution]:
    """Return the distributions installed in all packages of a build; raise CannotCheck if nothing is built there."""
    found = [distribution(path.parent) for path in sorted(build.glob("*/**/*.dist-info/RECORD"))]
    if not found:
        raise CannotCheck(f"{build} holds no build: run `sam build` first")
    return found


def distribution(info: Path) -> Distribution:
    """Return the distribution that a .dist-info folder describes."""
    about, wheel = (Parser().parsestr((info / name).read_text()) for name in ("METADATA", "WHEEL"))
    return Distribution(_normal(about["Name"]), about["Version"], frozenset(wheel.get_all("Tag", [])), info.parent)


def locked(lock: str) -> dict[str, tuple[str, str]]:
    """Return the version and the lines of each package in a lock file."""
    return {_normal(found[1]): (found[2], found[0]) for found in _LOCKED.finditer(lock)}


def locked_hashes(lock: str) -> dict[tuple[str, str], frozenset[str]]:
    """Return the SHA-256 hashes of the files of each package in a lock file, by its name and version."""
    return {(name, version): frozenset(_HASH.findall(lines)) for name, (version, lines) in locked(lock).items()}


def download(found: list[Distribution], lock: str, folder: Path) -> dict[tuple[str, str], Path]:
    """Download the wheel of each distribution that is in the lock; return only wheels whose hashes are in the lock.

    Uses pip as it is configured on this machine, in one call for all. Raises CannotCheck with the last line that pip
    printed.
    """
    hashes = locked_hashes(lock)
    lines = {name: own for name, (version, own) in locked(lock).items() if (name, version) in _keys(found)}
    requirements = folder / "requirements.txt"
    requirements.write_text("".join(lines.values()))
    platforms = sorted(set().union(*(one.platforms for one in found)) - {"any"})
    command = ["python3.13", "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps"]
    command += ["--only-binary=:all:", "--python-version=3.13", "--implementation=cp"]
    command += [f"--platform={platform}" for platform in platforms]
    command += [f"--dest={folder}", f"--requirement={requirements}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotCheck(f"pip cannot download the wheels in the lock: {done.stderr.strip().splitlines()[-1]}")
    wheels = {_named(path): path for path in folder.glob("*.whl")}
    return {key: path for key, path in wheels.items() if _sha256(path.read_bytes()).hex() in hashes.get(key, ())}


def differences(build: Path, wheels: Mapping[tuple[str, str], Path]) -> list[str]:
    """Return one line for each file of a build that is neither the project's own nor in a wheel that is in the lock."""
    found = []
    contents = {key: dict(_contents(path)) for key, path in wheels.items()}
    for package in sorted(path for path in build.iterdir() if path.is_dir()):
        own, expected = _own(package), dict[Path, bytes]()
        for info in sorted(package.glob("**/*.dist-info")):
            installed = distribution(info)
            key = installed.name, installed.version
            if key not in contents:
                found.append(f"{package.name}: {installed.name} {installed.version} is not in {LOCK.name}")
            expected |= {installed.folder / path: digest for path, digest in contents.get(key, {}).items()}
        for path in sorted(path for path in package.rglob("*") if path.is_file()):
            expected_digest = expected.pop(path, None) or own.pop(path, None)
            if expected_digest != _sha256(path.read_bytes()):
                found.append(f"{package.name}: {path.relative_to(package)} is in no wheel that is in {LOCK.name}")
        found += [f"{package.name}: {path.relative_to(package)} is missing" for path in (*expected, *own)]
    return found


def source(package: str) -> str:
    """Return the folder from which SAM builds a package, which is named like the resource in template.yaml."""
    return "layer" if package == LAYER else f"functions/{_snake(package)}"


def _own(package: Path) -> dict[Path, bytes]:
    """Return the project's own files in a package, with their digests."""
    folder = ROOT / source(package.name)
    target = package / "python" if package.name == LAYER else package
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {target / path.relative_to(folder): _sha256(path.read_bytes()) for path in files}


def _contents(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Return the files of a wheel with their digests; raise CannotCheck if one differs from its RECORD."""
    with zipfile.ZipFile(wheel) as archive:
        record = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/RECORD", name))
        recorded = {path: digest for path, digest, _ in csv.reader(archive.read(record).decode().splitlines())}
        for name in archive.namelist():
            if name.endswith("/"):
                continue
            digest = _sha256(archive.read(name))
            expected = recorded.get(name, "").removeprefix("sha256=")
            if name != record and expected != base64.urlsafe_b64encode(digest).rstrip(b"=").decode():
                raise CannotCheck(f"{wheel.name}: {name} is not as RECORD says")
            yield _UNPACKED.sub("", name), digest


def _keys(found: list[Distribution]) -> set[tuple[str, str]]:
    return {(one.name, one.version) for one in found}


def _named(wheel: Path) -> tuple[str, str]:
    name, version, *_ = wheel.name.split("-")
    return _normal(name), version


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


if __name__ == "__main__":
    sys.exit(main())
