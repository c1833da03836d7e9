"""`sam build` installs the packages that the tests run with, for both processors, and nothing else."""

from pathlib import Path

import pytest
from check_build import LOCK, Distribution, differences, distributions, download, locked_hashes, source
from local_account.builds import built_for
from locked_requirements import needs, with_dependencies

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
# The template and wheels name the processors differently.
PROCESSORS = {"x86_64": "x86_64", "arm64": "aarch64"}


@pytest.mark.parametrize("architecture", PROCESSORS)
def test_built_packages_are_those_in_the_lock(architecture: str, tmp_path: Path) -> None:
    """Each distribution's name, version and files are those of a wheel whose hash the lock has."""
    with built_for(architecture) as build:
        found = distributions(build)
        wheels = download(found, LOCK.read_text(), tmp_path)
        assert {(one.name, one.version) for one in found} == wheels.keys() <= locked_hashes(LOCK.read_text()).keys()
        assert differences(build, wheels) == []
        assert installed(found, build) == {folder: with_dependencies(own) for folder, own in needs().items() if own}
        platforms = set().union(*(one.platforms for one in found)) - {"any"}
        assert platforms
        assert all(platform.endswith(PROCESSORS[architecture]) for platform in platforms), platforms


def installed(found: list[Distribution], build: Path) -> dict[str, set[str]]:
    """Return the names of the distributions in each package, by the folder that it is built from."""
    names: dict[str, set[str]] = {}
    for one in found:
        package = one.folder.relative_to(build).parts[0]
        names.setdefault(source(package), set()).add(one.name)
    return names
