"""Ask for known vulnerabilities of everything in the locks: `python -m audit` (needs a network).

pip-audit asks the OSV database (https://osv.dev), or the service that OSV_URL names. The exit code is 0 if every
package was asked for and none has an advisory, 1 if one has, and 2 if some could not be asked for: what is not known
is no success. OSV answers the same for a package that it does not know as for one without advisories. Packages of
Debian, which only tests use, are not asked for.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shipped_template import ROOT

_PIP_AUDIT = ROOT / ".build" / "audit" / "bin" / "pip-audit"
_OSV = "https://api.osv.dev/v1/query"
FOUND, NOT_KNOWN = 1, 2


@dataclass(frozen=True, slots=True)
class Answer:
    """Advisories of the packages of one lock, as lines, and why something is not known (empty if everything is)."""

    lock: str
    packages: int
    advisories: tuple[str, ...]
    not_known: tuple[str, ...]


def ask(lock: Path, osv_url: str) -> Answer:
    """Return what the service answers about every package of a lock."""
    command = [str(_PIP_AUDIT), "--requirement", str(lock), "--require-hashes", "--disable-pip", "--format", "json"]
    command += ["--vulnerability-service", "osv", "--osv-url", osv_url, "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return Answer(lock.name, 0, (), (_why(done),))
    skipped = tuple(f"{one['name']}: {one['skip_reason']}" for one in packages if "skip_reason" in one)
    return Answer(lock.name, len(packages), tuple(_advisories(packages)), skipped)


def _why(done: subprocess.CompletedProcess[str]) -> str:
    """Return why there is no answer: the last error with a text, of the traceback that pip-audit prints."""
    lines = done.stderr.strip().splitlines()
    told = [line.partition("Error: ")[2] for line in lines if "Error: " in line]
    return (told or lines or [f"pip-audit ended with {done.returncode}"])[-1]


def _advisories(packages: list[dict[str, object]]) -> Iterator[str]:
    for one in packages:
        for found in one.get("vulns", ()):  # type: ignore[attr-defined]
            mended = ", ".join(found["fix_versions"]) or "in no version"
            yield f"{one['name']} {one['version']}: {found['id']}, mended {mended}"


def audit(locks: list[Path], osv_url: str) -> int:
    """Print what is known of each lock; return the exit code."""
    code = 0
    for answer in (ask(lock, osv_url) for lock in locks):
        print(f"{answer.lock}: {answer.packages} packages, {len(answer.advisories)} advisories")
        for line in answer.advisories:
            print(f"  vulnerable: {line}")
        for line in answer.not_known:
            print(f"  not known: {line}")
        code = max(code, FOUND if answer.advisories else 0, NOT_KNOWN if answer.not_known else 0)
    return code


if __name__ == "__main__":
    sys.exit(audit(sorted((ROOT / "requirements").glob("*.lock")), os.environ.get("OSV_URL", _OSV)))
