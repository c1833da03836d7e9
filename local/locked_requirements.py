"""Write the requirements of every Lambda and the layer, which `sam build` installs: `python -m locked_requirements`.

requirements/functions.toml names the packages that each needs; versions and hashes come from requirements/dev.lock,
with which the tests run. Their dependencies are read from the packages installed here. No network is used.
"""

import tomllib
from collections.abc import Mapping
from importlib import metadata

from check_build import LOCK, ROOT, locked
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NEEDS = ROOT / "requirements" / "functions.toml"
# Environment markers have these values on one of Lambda's processors and not on the other.
MACHINES = ("x86_64", "aarch64")
_HEAD = "# Written by `make lock` from requirements/functions.toml and requirements/dev.lock. Do not edit.\n"


class NotLocked(LookupError):
    """A package that a Lambda needs is not in the lock, or the installed version differs from the locked one."""


def needs() -> dict[str, tuple[str, ...]]:
    """Return the packages that each folder with a requirements.txt needs, by the folder's path."""
    document = tomllib.loads(NEEDS.read_text())
    functions = {f"functions/{name}": tuple(packages) for name, packages in document["functions"].items()}
    return {"layer": tuple(document["layer"]), **functions}


def with_dependencies(packages: tuple[str, ...]) -> set[str]:
    """Return these packages and all their dependencies on Lambda; raise NotLocked if one is not installed."""
    read, waiting = set[str](), [Requirement(package) for package in packages]
    names = set[str]()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) not in read:
            read.add(str(requirement))
            names.add(canonicalize_name(requirement.name))
            waiting += _required_by(requirement)
    return names


def text(packages: tuple[str, ...], lock: Mapping[str, tuple[str, str]]) -> str:
    """Return a requirements.txt with these packages and their dependencies; raise NotLocked if one is missing."""
    lines = [_HEAD]
    for name in sorted(with_dependencies(packages)):
        if name not in lock:
            raise NotLocked(f"{name} is not in {LOCK.name}: add it to requirements/dev.in and run `make lock`")
        version, own = lock[name]
        if metadata.version(name) != version:
            raise NotLocked(f"{name} {metadata.version(name)} is installed and {version} is locked: run `make setup`")
        lines.append(own)
    return "".join(lines)


def main() -> None:
    """Write all files."""
    lock = locked(LOCK.read_text())
    for folder, packages in needs().items():
        (ROOT / folder / "requirements.txt").write_text(text(packages, lock))


def _required_by(requirement: Requirement) -> list[Requirement]:
    try:
        required = metadata.requires(requirement.name) or []
    except metadata.PackageNotFoundError as missing:
        raise NotLocked(f"{requirement.name} is not installed: run `make setup`") from missing
    return [one for one in map(Requirement, required) if _applies(one, requirement.extras)]


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    if requirement.marker is None:
        return True
    environment = {name: str(value) for name, value in default_environment().items()}
    environment |= {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    environments = [
        {**environment, "platform_machine": machine, "extra": extra} for machine in MACHINES for extra in extras or {""}
    ]
    return any(requirement.marker.evaluate(environment) for environment in environments)


if __name__ == "__main__":
    main()
