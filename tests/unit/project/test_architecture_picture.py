"""docs/architecture.svg is what its module draws, names every Lambda, and stands on its own."""

import re
from xml.etree import ElementTree as ET

import architecture_picture
from shipped_template import of_type

TEXT = architecture_picture.picture()


def test_the_picture_is_what_its_module_draws() -> None:
    assert architecture_picture.PICTURE.read_text() == TEXT, "run `make architecture`"


def test_the_picture_names_every_lambda() -> None:
    drawn = " ".join("".join(one.itertext()) for one in ET.fromstring(TEXT).iter())  # noqa: S314 - our own file
    assert [name for name in of_type("AWS::Serverless::Function") if not re.search(rf"\b{name}\b", drawn)] == []


def test_the_picture_loads_nothing_from_elsewhere() -> None:
    assert re.findall(r"(?:href|src|url)\s*[=(]\s*[\"']?(?!#)", TEXT) == []
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", TEXT) == []
