"""Write bills of materials (CycloneDX 1.6, JSON) of the layer and each function: `python -m sbom`.

Each requirements.txt names what `sam build` installs, with versions and hashes; the licences are those of the metadata
of the distributions that the tests run with. Two runs on the same sources write the same files.
"""

import json
from importlib import metadata
from uuid import NAMESPACE_URL, uuid5

from check_build import locked_hashes
from cyclonedx.contrib.hash.factories import HashTypeFactory
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from notice import artefacts, licence, pinned
from packageurl import PackageURL
from packaging.utils import canonicalize_name
from shipped_template import ROOT

FOLDER = ROOT / ".artifacts" / "sbom"


class NoHash(ValueError):
    """A requirements.txt names a distribution without a hash, so that nobody can tell what is installed."""


class NoLicence(ValueError):
    """The metadata of a distribution state no licence."""


def bill_of_materials(name: str, requirements: str) -> Bom:
    """Return the bill of materials of an artefact from the text of its requirements.txt. Raises NoHash, NoLicence."""
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, f"{name}\n{requirements}"))
    version = metadata.version("serverless-optimizer")
    artefact = Component(name=name, version=version, type=ComponentType.APPLICATION, bom_ref=name)
    bom.metadata.component = artefact
    hashes = locked_hashes(requirements)
    for distribution, locked in pinned(requirements):
        digests = hashes.get((canonicalize_name(distribution), locked), frozenset())
        bom.components.add(_component(distribution, locked, digests))
    bom.register_dependency(artefact, bom.components)
    return bom


def as_json(bom: Bom) -> str:
    """Return the document of a bill of materials."""
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    # When it was written says nothing about what is in it.
    del document["metadata"]["timestamp"]
    return json.dumps(document, indent=2) + "\n"


def _component(name: str, version: str, digests: frozenset[str]) -> Component:
    if not digests:
        raise NoHash(f"{name} {version} has no hash")
    stated = licence(name)
    if not stated:
        raise NoLicence(f"{name} {version} states no licence")
    purl = PackageURL("pypi", name=name.lower(), version=version)
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        licenses=[LicenseFactory().make_from_string(stated)],
        hashes=[HashTypeFactory().from_composite_str(f"sha256:{one}") for one in digests],
    )


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for artefact, path in artefacts().items():
        made = bill_of_materials(artefact, path.read_text())
        (FOLDER / f"{artefact}.cdx.json").write_text(as_json(made))
        print(f"{artefact}: {len(made.components)} components")
