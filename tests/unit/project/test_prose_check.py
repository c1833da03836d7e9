"""The prose check finds each kind of violation, says where it is and what to write, and leaves what is not prose."""

import re
from pathlib import Path

import prose_check
import pytest
import yaml
from prose_check import NoReason, check, read_terms

from tests.helpers.documents import ROOT

LISTED = read_terms(prose_check.TERMS.read_text())
DOCUMENT = """
terms:
  - find: take back
    write: roll back
    because: One word.
    except: [{phrase: take back control, because: A saying.}, {file: layer/old, because: It is old.}]
  - {find: question, only: [layer/approvals], write: approval request, because: People respond.}
  - {find: "^What", in: [docstring], write: a verb, because: Nouns first.}
quoting: {}
not_searched: {}
pending:
"""
TERMS = read_terms(DOCUMENT).terms


def found(file: str, text: str) -> list[tuple[int, str]]:
    return [(finding.line, finding.found) for finding in check(file, text, TERMS)]


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("docs/a.md", "# Title\n\nWe take\nback what harms.\n", (3, "take back")),
        ("docs/a.md", "Run\n```\ntake back\n```\n", (3, "take back")),
        ("layer/a.py", '"""What it is."""\n', (1, "What")),
        ("layer/a.py", 'def f():\n    """Return.\n\n    Take back."""\n', (4, "Take back")),
        ("layer/a.py", 'class A:\n    """What."""\n', (2, "What")),
        ("layer/a.py", 'x = 1\nraise Error("take back all")\n', (2, "take back")),
        ("layer/a.py", 'f(f"{n} take back {m}")\n', (1, "take back")),
        ("layer/a.py", "f(f\"{'take back it' if n else m}\")\n", (1, "take back")),
        ("cli/a.py", '@click.option("--x", help="take back it")\ndef f(): ...\n', (1, "take back")),
        ("layer/a.html", "<p>\ntake <b>it</b> take back</p>", (2, "take back")),
        ("layer/a.html", "{{ figure(x,\n 'take back it') }}", (2, "take back")),
        ("template.yaml", "Description: take back\n", (1, "take back")),
        ("template.yaml", "A:\n  Description: >-\n    take back\n", (3, "take back")),
        ("layer/approvals/a.py", 'f("a question to people")\n', (1, "question")),
    ],
)
def test_prose_check_finds_a_planted_word(file: str, text: str, expected: tuple[int, str]) -> None:
    assert found(file, text) == [expected]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("docs/a.md", "`take back` and [a](what-to-take.md#take-back)"),
        ("docs/a.md", '```json\n{"a": "take back"}\n```\n'),
        ("docs/a.md", "They take back control."),
        ("docs/a.md", "They mistake backs."),
        ("docs/a.md", "What is not in a docstring."),
        ("layer/a.py", "# take back\nx = {'take_back': 'question'}\n"),
        ("layer/a.py", '"""Return `take back`."""\n'),
        ("layer/a.py", '"""A question of fact."""\n'),
        ("layer/old/a.py", 'f("take back all")\n'),
        ("layer/a.html", "<p class='take back'>{{ take.back }}</p>"),
    ],
)
def test_prose_check_leaves_what_is_not_meant(file: str, text: str) -> None:
    assert found(file, text) == []


def test_prose_check_says_what_to_write() -> None:
    assert [str(finding) for finding in check("docs/a.md", "\ntake back", TERMS)] == [
        "docs/a.md:2: 'take back': write roll back. One word."
    ]


def test_exception_without_a_reason_is_an_error() -> None:
    with pytest.raises(NoReason, match="take back"):
        read_terms(DOCUMENT.replace("because: A saying.", "because:"))
    with pytest.raises(NoReason):
        read_terms(DOCUMENT.replace("not_searched: {}", "not_searched: {try: }"))


def test_named_files_are_checked_even_if_pending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("take back\n")
    (tmp_path / "template.yaml").touch()
    (tmp_path / "terms.yaml").write_text(DOCUMENT.replace("pending:", "pending: [docs]"))
    monkeypatch.setattr(prose_check, "ROOT", tmp_path)
    monkeypatch.setattr(prose_check, "TERMS", tmp_path / "terms.yaml")
    assert prose_check.main([]) == 0
    assert capsys.readouterr().out == ""
    assert prose_check.main([str(tmp_path / "docs")]) == 1
    assert capsys.readouterr().out == "docs/a.md:1: 'take back': write roll back. One word.\n"


def test_every_word_of_the_glossary_is_searched_or_excused() -> None:
    rows = re.findall(r"^\|[^|]+\|[^|]+\|([^|]+)\|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    words = [re.sub(r"\(.*?\)", "", word).strip() for row in rows[2:] for word in row.split(",")]
    excused = yaml.safe_load(prose_check.TERMS.read_text())["not_searched"]
    assert len(words) > 30
    for word in words:
        text = f"It was {word} by a guardrail."
        assert word in excused or any(check("layer/optimizer/approvals/a.md", text, LISTED.terms)), word


def test_pending_and_excepted_files_exist() -> None:
    excepted = [file for term in LISTED.terms for file in (*term.excepted_files, *term.only)]
    assert [file for file in (*excepted, *LISTED.pending, *LISTED.quoting) if not (ROOT / file).exists()] == []
