"""docs/rights.md says what template.yaml gives, and why."""

import pytest
import rights_document
from rights_document import NoReason


def test_the_document_is_what_the_template_gives() -> None:
    assert rights_document.DOCUMENT.read_text() == rights_document.document(), "run `python -m rights_document`"


def test_a_right_without_a_reason_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {name: dict(reasons) for name, reasons in rights_document.REASONS.items()}
    del without["WarmFunction"]["lambda:InvokeFunction"]
    monkeypatch.setattr(rights_document, "REASONS", without)
    with pytest.raises(NoReason, match="WarmFunction may lambda:InvokeFunction"):
        rights_document.document()


def test_a_reason_without_its_right_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    more = {**rights_document.REASONS["ShowReport"], "s3:DeleteObject": "to tidy up"}
    monkeypatch.setattr(rights_document, "REASONS", {**rights_document.REASONS, "ShowReport": more})
    with pytest.raises(NoReason, match="ShowReport may s3:DeleteObject"):
        rights_document.document()
