"""NOTICE names what the Lambdas ship, in the versions that the tests run with."""

from importlib import metadata

import notice
import pytest
from notice import DifferentVersion


def test_notice_is_what_the_metadata_say() -> None:
    assert notice.NOTICE.read_text() == notice.document(), "run `.venv/bin/python -m notice`"


def test_another_version_than_the_tested_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.0.1" if name == "numpy" else real(name))
    with pytest.raises(DifferentVersion, match="ships numpy"):
        notice.document()
