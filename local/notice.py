"""Write NOTICE, the list of shipped third-party distributions with their licences: `python -m notice`.

The requirements.txt files of the layer and of the functions name the distributions; their dependencies and every
licence are read from the metadata of the distributions that the tests run with.
"""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from shipped_template import ROOT

NOTICE = ROOT / "NOTICE"
# Lambda's own runtime brings the SDK and what it needs.
_RUNTIME = "boto3"
_PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)
_HEAD = """\
Serverless Optimizer

Licensed under the Apache License, Version 2.0; see LICENSE.

Written by `python -m notice`; a test compares it with the metadata of the distributions. Each distribution contains the
full text of its own licence.

"""


class DifferentVersion(ValueError):
    """The layer or a function ships a version that differs from the tested one."""


def document() -> str:
    """Return the content of NOTICE."""
    shipped = _closure(_shipped())
    runtime = _closure([_RUNTIME])
    return "".join(
        (
            _HEAD,
            "Shipped in the layer and the packages of the functions (requirements.txt, and what these need):\n\n",
            *map(_line, shipped),
            "\nUsed by the Lambda functions, provided by Lambda's runtime for Python, and not shipped:\n\n",
            *(_line(name) for name in runtime if name not in shipped),
        )
    )


def artefacts() -> dict[str, Path]:
    """Return the requirements.txt of the layer and of each function, by name."""
    functions = {path.parent.name: path for path in sorted(ROOT.glob("functions/*/requirements.txt"))}
    return {"layer": ROOT / "layer" / "requirements.txt", **functions}


def pinned(requirements: str) -> list[tuple[str, str]]:
    """Return the name and version of each distribution that a requirements.txt names."""
    return _PINNED.findall(requirements)


def _shipped() -> Iterator[str]:
    """Yield each distribution that the layer or a function names."""
    for path in artefacts().values():
        for name, version in pinned(path.read_text()):
            if metadata.version(name) != version:
                found = f"{name} {version}, the tests run with {metadata.version(name)}"
                raise DifferentVersion(f"{path.relative_to(ROOT)} ships {found}")
            yield canonicalize_name(name)


def _closure(names: Iterator[str] | list[str]) -> list[str]:
    """Return these distributions and all their dependencies, sorted."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            needs = map(Requirement, metadata.requires(name) or ())
            left += [canonicalize_name(one.name) for one in needs if one.marker is None or one.marker.evaluate()]
    return sorted(found)


def _line(name: str) -> str:
    return f"  {name} {metadata.version(name)}: {licence(name)}\n"


def licence(name: str) -> str:
    """Return the licence that the distribution's metadata state."""
    own = metadata.metadata(name)
    if expression := own.get("License-Expression"):
        return str(expression)
    stated = str(own.get("License", "")).partition("\n")[0]
    classified = (line.rpartition(" :: ")[2] for line in own.get_all("Classifier", []) if line.startswith("License"))
    return ", ".join(dict.fromkeys(filter(None, (stated, *classified))))


if __name__ == "__main__":
    NOTICE.write_text(document())
