"""Make the image in which functions run: Debian's Python 3.13 with the runtime client, and Debian's Node.js.

It has the names that the SAM CLI looks for. AWS's own image comes from a registry; this one is made from Debian's
packages and the pinned wheels.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path

from local_account.account import ROOT
from local_account.sam_local.engine import CannotRun, Engine

NAME = "public.ecr.aws/lambda/python:3.13-x86_64"
NODE_NAME = "public.ecr.aws/lambda/nodejs:20-x86_64"
_LOCK = ROOT / "requirements" / "runtime.lock"
_UV = ROOT / ".build" / "uv" / "bin" / "uv"
_SUITE = "trixie"
_RUNTIMES = ROOT / "local" / "local_account" / "lambda_runtimes"
# What the bootstrap starts, under the names of Lambda's own images.
_FILES = ("bootstrap.py", "index.mjs")
_BOOTSTRAP = """\
#!/bin/sh
export LAMBDA_TASK_ROOT=/var/task
set -- node /var/runtime/index.mjs
if [ -f "/var/task/${_HANDLER%.*}.py" ]; then
  export PYTHONPATH="/var/task:/opt/python:/var/runtime"
  set -- python3 /var/runtime/bootstrap.py
fi
exec ${AWS_LAMBDA_EXEC_WRAPPER:+"$AWS_LAMBDA_EXEC_WRAPPER"} "$@"
"""


def make(engine: Engine) -> None:
    """Make the image unless one of the same wheels exists; raise CannotRun."""
    sources = [_LOCK.read_bytes(), _BOOTSTRAP.encode(), *((_RUNTIMES / name).read_bytes() for name in _FILES)]
    wanted = hashlib.sha256(b"".join(sources)).hexdigest()
    stamp = engine.folder / "image"
    if (
        stamp.exists()
        and stamp.read_text() == wanted
        and NAME in engine.podman("images", "--format", "{{.Repository}}:{{.Tag}}")
    ):
        return
    root = engine.folder / "root"
    _remove(root)
    archive = engine.folder / "root.tar"
    try:
        _run("debootstrap", "--variant=minbase", "--include=python3,ca-certificates,nodejs", _SUITE, str(root))
        runtime = root / "var" / "runtime"
        options = ["--quiet", "--require-hashes", "--python", "3.13", "--target", str(runtime)]
        _run(str(_UV), "pip", "install", *options, "--requirement", str(_LOCK))
        (runtime / "bootstrap").write_text(_BOOTSTRAP)
        (runtime / "bootstrap").chmod(0o755)
        for name in _FILES:
            shutil.copyfile(_RUNTIMES / name, runtime / name)
        for folder in ("var/task", "opt", "var/rapid"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        leave_out = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "dev")
        _run("tar", "-C", str(root), *(f"--exclude=./{path}/*" for path in leave_out), "-cf", str(archive), ".")
        engine.podman("import", "--quiet", "--change", "WORKDIR /var/task", str(archive), NAME)
        engine.podman("tag", NAME, NODE_NAME)
    finally:
        _remove(root)
        archive.unlink(missing_ok=True)
    stamp.write_text(wanted)


def _remove(root: Path) -> None:
    # After an interrupted debootstrap this machine's own /proc may still be mounted in it.
    _run("rm", "-rf", "--one-file-system", str(root))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        output = (done.stderr or done.stdout).strip().splitlines()
        raise CannotRun(f"{Path(command[0]).name} failed: {output[-1] if output else 'it said nothing'}")
