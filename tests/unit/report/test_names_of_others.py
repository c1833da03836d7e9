"""Test that a name that somebody else chose can do nothing in a mail, on a page or in a terminal.

The names come from every class of Unicode; the mails, pages and tables are those of a run that found an index so named.
"""

import io
import re
import unicodedata
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from hypothesis import given, settings, strategies as st
from optimizer.approvals.message import approval_message
from optimizer.approvals.page import Form, outcome, request_page
from optimizer.core.approval import Approval
from optimizer.core.change import Status, StoredChange, Tuner
from optimizer.report import text
from optimizer.report.lines import line
from optimizer.report.pages import run_page
from optimizer.report.summary import summarise
from optimizer_cli import tables
from optimizer_cli.printing import console, echo

from tests.helpers import report_samples as samples
from tests.unit.core.test_printable_text import ANY_CLASS

URL = "https://pages.example/approve?run=1"
NOW = datetime(2026, 11, 16, tzinfo=UTC)
TRAPS = (
    "\x1b]52;c;ZWNobyBvd25lZA==\x07 \x1b[8m",
    " Your link moved: https://evil.example/approve?run=1",
    "\r\nBcc: somebody@example.com\u2028x",
    "\u202egnp.exe",
    "\x9b8mhidden",
    " www.evil.example/x",
    "<script>alert(1)</script>",
    "[link](https://evil.example)",
)
# Words around a name are ours, so the name stands where a reader expects it.
# No server and no API takes half of a surrogate pair.
ENCODABLE = ANY_CLASS.filter(lambda character: unicodedata.category(character) != "Cs")
NAMES = (st.sampled_from(TRAPS) | st.lists(ENCODABLE, max_size=40).map("".join)).map(lambda name: f"zz{name}zz")


def outputs(name: str) -> Iterator[tuple[str, str]]:
    """Yield all texts about a change of an index with this name: where they are shown, and the text."""
    target = f"shop/public.{name}.{name}"
    change: StoredChange = samples.stored(
        Tuner.INDEXES,
        target,
        Status.AWAITING_APPROVAL,
        {"index": name, "schema": name, "definition": f"INDEX {name}"},
        {"index": None, name: name},
        (-1.0, -1.5, -0.5),
        f"{name} is the same as {name}",
        action="drop_index",
        evidence={"statements": name, name: name},
        message=f"the server says {name}",
    )
    nobody = [{"tuner": "indexes", "target": target, "reason": name, "evidence": {"notice": True}}]
    report = summarise(samples.RUN, [change], nobody, {target: name}, NOW, notes=[name])
    approval = Approval(
        run_id="run-1",
        plan_key="runs/run-1/plan.json",
        digest="d" * 64,
        task_token="token",
        changes={change.change.id: "indexes"},
        change_digests={change.change.id: change.change.digest},
        asked_at=NOW,
        expires_at=NOW + timedelta(hours=24),
    )
    message = approval_message(approval, "anyone", URL, [change])
    yield "approval mail", message.for_people()
    yield "subject", message.subject
    yield "mail of a run", text.body(report, URL, NOW)
    yield "mail of a change", text.change_body(line(change))
    yield "subject of a change", text.change_subject(line(change))
    yield "mail of an approval", text.approval_body(report, "Anna responded", URL)
    yield "approval page", request_page(approval, "anyone", [change], Form())
    yield "outcome page", str(outcome(approval, [change]))
    yield "report page", run_page(report)
    printed = io.StringIO()
    with redirect_stdout(printed):
        tables.show("changes", ["target", "message"], [[line(change).target, line(change).message], [name, name]])
        # A line break may be ours where a whole text is printed.
        unbroken = name.replace("\n", "")
        echo(f"{unbroken} was not changed")
        console(highlight=False, width=200).print(f"{unbroken} is a name", markup=False)
    yield "terminal", printed.getvalue()


@settings(max_examples=60, deadline=None)
@given(name=NAMES)
def test_name_is_only_a_name_in_every_output(name: str) -> None:
    check(name)


@pytest.mark.parametrize("trap", TRAPS)
def test_trap_is_only_a_name_in_every_output(trap: str) -> None:
    check(f"zz{trap}zz")


def check(name: str) -> None:
    for where, shown in outputs(name):
        visible = unescape(re.sub(r"<style>.*?</style>", "", shown, flags=re.DOTALL)) if "page" in where else shown
        hidden = {
            character
            for character in visible
            if character not in "\n \N{NO-BREAK SPACE}" and unicodedata.category(character)[0] in "CZ"
        }
        assert not hidden, (where, hidden)
        links = re.findall(r"[a-z]+://[^\s<>\"')]*", visible.replace("http://www.w3.org/2000/svg", ""))
        if where != "terminal":
            assert set(links) <= {URL}, where
        assert not any(begun.startswith("Bcc") for begun in visible.splitlines()), where
        assert "<script>alert" not in shown or "page" not in where


def test_a_mail_names_the_link_of_the_optimizer_unbroken() -> None:
    texts = dict(outputs("zz_index"))
    for where in ("approval mail", "mail of a run", "mail of an approval"):
        assert URL in texts[where].splitlines()
    assert "zz_index" in texts["report page"]
