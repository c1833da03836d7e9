"""Build the application with `sam build`, once for all who use the same sources."""

import fcntl
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from local_account.account import REGION, ROOT
from local_account.sam_cli import SAM, run_sam

# The processor of this machine, on which the functions run here.
LOCAL_ARCHITECTURE = "x86_64"
WORK = ROOT / ".aws-sam"
# The built template once more: the SAM CLI reads JSON in a tenth of the time, several times in each command.
JSON_TEMPLATE = "template.json"
_ARCHITECTURES = re.compile(r"(?<=^    Architectures: )\[\w+\]$", re.MULTILINE)
_FILES = re.compile(r"(?<=: )(?=(?:functions/|layer$|statemachine/))", re.MULTILINE)
_SOURCES = ("functions", "layer")
# `sam build` empties the folder of a build first, and this file with it.
_STAMP = "sources.sha256"


@contextmanager
def built_for(architecture: str) -> Iterator[Path]:
    """Yield the folder with the application built for a processor; nobody builds until the context ends.

    Raises SamFailed. Whoever finds the same sources built shares that build.
    """
    # Packages for the local account's processor are built once for all. For another processor SAM keeps its build in a
    # folder of its own, because it deletes everything that a build does not need.
    other = WORK / architecture
    folder, into = (ROOT, WORK) if architecture == LOCAL_ARCHITECTURE else (other, other)
    into.mkdir(parents=True, exist_ok=True)
    with (into / "lock").open("w") as lock:
        while True:
            fcntl.flock(lock, fcntl.LOCK_SH)
            if _is_built(architecture, into / "build"):
                break
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_built(architecture, into / "build"):
                _build(architecture, folder, into)
        yield into / "build"


@contextmanager
def build_lock() -> Iterator[None]:
    """Hold a lock so that nobody else uses or makes a build for this machine's processor."""
    WORK.mkdir(exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def template_for(architecture: str) -> Path:
    """Return template.yaml with another processor, as a copy below .aws-sam; or itself, if it has that one."""
    text = (ROOT / "template.yaml").read_text()
    changed = _ARCHITECTURES.sub(f"[{architecture}]", text)
    if changed == text:
        return ROOT / "template.yaml"
    path = WORK / f"template-{architecture}.yaml"
    path.write_text(_FILES.sub("../", changed))
    return path


def _build(architecture: str, folder: Path, into: Path) -> None:
    built = into / "build"
    # The SAM CLI recognises its earlier builds only while all of these paths stay the same.
    paths = ["--template-file", str(template_for(architecture)), "--build-dir", str(built)]
    options = ["--cached", "--cache-dir", str(into / "cache"), "--parallel"]
    sources = _sources(architecture)
    run_sam({"AWS_DEFAULT_REGION": REGION}, folder, ["build", *paths, *options])
    template = yaml.load((built / "template.yaml").read_bytes(), yaml.CSafeLoader)
    (built / JSON_TEMPLATE).write_text(json.dumps(template))
    (built / _STAMP).write_text(sources)


def _is_built(architecture: str, built: Path) -> bool:
    stamp = built / _STAMP
    return stamp.exists() and stamp.read_text() == _sources(architecture)


def _sources(architecture: str) -> str:
    """Return a digest of everything that a build is made of."""
    digest = hashlib.sha256(f"{architecture} {SAM.resolve()}\n".encode())
    paths = [path for folder in _SOURCES for path in (ROOT / folder).rglob("*") if path.is_file()]
    own = [path for path in paths if "__pycache__" not in path.parts]
    for path in (ROOT / "template.yaml", ROOT / "requirements" / "sam.lock", *sorted(own)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
