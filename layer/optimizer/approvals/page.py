"""The page on which an approver reads the question and answers it: one HTML file without scripts or anything external.

Every value goes through markupsafe, which escapes whatever is not mark-up of this module. Pure.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from optimizer.approvals import wording
from optimizer.approvals.question import ANYONE, LONGEST_NAME, LONGEST_REASON, Approval
from optimizer.report.summary import Line, line
from optimizer.runs import StoredChange

STYLE = Markup(Path(__file__).with_name("page.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

NOTHING = Markup()
_DOCUMENT = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<title>{title} - Optimizer</title>
<style>{style}</style>
</head>
<body>
{skip}<header><p>Optimizer</p></header>
<main id="main">
<h1>{title}</h1>
{main}</main>
</body>
</html>
""")
_SKIP = Markup('<a class="skip" href="#answer">Skip to the answer</a>\n')
_CHANGE = Markup("""<article class="card" aria-labelledby="title-{n}">
<h3 id="title-{n}">{title}</h3>
<p>{why}</p>
<dl>
{facts}</dl>
{values}<details>
<summary>The numbers behind it<span class="hidden"> for {target}</span></summary>
{evidence}</details>
{tick}</article>
""")
_TICK = Markup("""<p class="choice tick"><input type="checkbox" name="change" value="{id}" id="change-{n}"{checked}>
<label for="change-{n}">Approve this one<span class="hidden">: {title}</span></label></p>
""")
_RADIO = Markup("""<p class="choice">
<input type="radio" name="decision" value="{value}" id="decision-{value}" required{checked}>
<label for="decision-{value}">{label}</label></p>
""")
_ANSWER = Markup("""<fieldset id="answer" tabindex="-1">
<legend>Your answer</legend>
{choices}<label class="field" for="by">Your name</label>
<p class="hint" id="by-hint">It is kept with the changes.</p>
<input type="text" id="by" name="by" value="{by}" maxlength="{longest_name}" autocomplete="name" required
aria-describedby="by-hint"{by_state}>
<label class="field" for="reason">Reason (optional)</label>
<p class="hint" id="reason-hint">Whoever reads the record later will be glad of it.</p>
<textarea id="reason" name="reason" rows="3" maxlength="{longest_reason}"
aria-describedby="reason-hint">{reason}</textarea>
<button type="submit">Send the answer</button>
<p class="hint">It counts once. What you do not approve is rejected.</p>
</fieldset>
""")


@dataclass(frozen=True, slots=True)
class Form:
    """What somebody filled in; `errors` name the field and say what is wanted."""

    decision: str = ""
    ticked: frozenset[str] = frozenset()
    by: str = ""
    reason: str = ""
    errors: tuple[tuple[str, str], ...] = ()


def document(title: str, main: Markup, *, skip: bool = False) -> str:
    """A whole page."""
    return str(_DOCUMENT.format(title=title, main=main, style=STYLE, skip=_SKIP if skip else ""))


def question(asked: Approval, approver: str, changes: Sequence[StoredChange], form: Form) -> str:
    """The page with the question."""
    ordered = sorted(changes, key=lambda stored: (line(stored).target, stored.change.id))
    number, lines = len(ordered), [line(stored) for stored in ordered]
    title = f"{wording.count(number, 'change')} {'waits' if number == 1 else 'wait'} for your answer"
    facts = [
        ("Answer until", wording.deadline(asked)),
        ("All together", wording.total(lines)),
        ("Run", asked.run_id),
        *([("This link is for", f"{approver} alone")] if approver != ANYONE else []),
        *([("Who must agree", wording.agreement(asked))] if wording.agreement(asked) else []),
        *((f"Answer of {vote.approver}", _said(vote.approved, number)) for vote in asked.votes),
    ]
    articles = (_change(n, stored, form, tick=number > 1) for n, stored in enumerate(ordered, start=1))
    main = Markup(
        "{errors}<p>Without an answer in time nothing of it is done.</p>\n<dl>\n{facts}</dl>\n"
        '<form method="post" accept-charset="utf-8" novalidate>\n'
        "<h2>What would be changed</h2>\n{articles}{answer}</form>\n"
        "<footer><p>Plan, SHA-256: <code>{digest}</code>. Your answer counts for exactly this plan.</p></footer>\n"
    ).format(
        errors=_errors(form),
        facts=_facts(facts),
        articles=Markup("").join(articles),
        answer=_answer(number, form),
        digest=asked.digest,
    )
    return document(f"Not sent: {title}" if form.errors else title, main, skip=True)


def notice(title: str, paragraphs: Iterable[str], more: Markup = NOTHING) -> str:
    """A page that only says something."""
    return document(title, Markup("").join(Markup("<p>{}</p>\n").format(text) for text in paragraphs) + more)


def outcome(asked: Approval, changes: Sequence[StoredChange]) -> Markup:
    """What was answered, by whom, for a notice; with a way to finish what was interrupted."""
    lines = wording.shown(changes)
    parts = [
        _list("Approved", [one for one in lines if one.change_id in asked.approved]),
        _list("Rejected", [one for one in lines if one.change_id not in asked.approved]),
    ]
    if asked.given_back_at is None:
        parts.append(FINISH)
    return Markup("").join(parts)


def votes(asked: Approval) -> list[str]:
    """A sentence about each answer that was given."""
    said = []
    for vote in asked.votes:
        who = vote.by if vote.approver == ANYONE else f"{vote.by} (as {vote.approver})"
        why = f' with the reason "{vote.reason}"' if vote.reason else ""
        at = wording.moment(vote.at, asked.time_zone)
        said.append(f"{who} answered on {at}: {_said(vote.approved, len(asked.changes))}{why}.")
    return said


FINISH = Markup(
    "<h2>The run has not been told yet</h2>\n"
    "<p>The answer is recorded, but something broke off before the run was told. Press the button to tell it now.</p>\n"
    '<form method="post"><button name="decision" value="finish">Tell the run</button></form>\n'
)


def _change(n: int, stored: StoredChange, form: Form, *, tick: bool) -> Markup:
    shown = line(stored)
    title = _arrow(wording.title(shown))
    facts = [
        ("Price", wording.price(shown)),
        *wording.effects(shown),
        ("Risk", wording.risk(shown)),
        ("How it is undone", wording.undo(stored.change.undo)),
    ]
    rows = wording.before_and_after(shown)
    checked = _on(shown.change_id in form.ticked, "checked")
    return _CHANGE.format(
        n=n,
        title=title,
        target=shown.target,
        why=wording.why(shown),
        facts=_facts(facts),
        values=_table("Now and after it", ("", "Now", "After"), rows) if rows else "",
        evidence=_evidence(stored),
        tick=_TICK.format(id=shown.change_id, n=n, title=title, checked=checked) if tick else "",
    )


def _evidence(stored: StoredChange) -> Markup:
    rows = list(wording.table_of(stored.change.evidence))
    table = _table("Evidence", ("What", "Value"), rows) if rows else Markup("<p>None was given.</p>\n")
    return table + Markup("<p>Change <code>{}</code>, on <code>{}</code>, SHA-256 <code>{}</code></p>\n").format(
        stored.change.id, stored.change.target, stored.change.digest
    )


def _answer(number: int, form: Form) -> Markup:
    if number == 1:
        choices = [("all", "Approve it"), ("none", "Reject it")]
    else:
        choices = [
            ("all", f"Approve all {number}"),
            ("some", "Approve only those that are ticked above"),
            ("none", f"Reject all {number}"),
        ]
    radios = (
        _RADIO.format(value=value, label=label, checked=_on(form.decision == value, "checked"))
        for value, label in choices
    )
    wrong = any(field == "by" for field, _ in form.errors)
    return _ANSWER.format(
        choices=Markup("").join(radios),
        by=form.by,
        by_state=_on(wrong, 'aria-invalid="true"'),
        reason=form.reason,
        longest_name=LONGEST_NAME,
        longest_reason=LONGEST_REASON,
    )


def _errors(form: Form) -> Markup:
    if not form.errors:
        return NOTHING
    items = (Markup('<li><a href="#{}">{}</a></li>\n').format(field, text) for field, text in form.errors)
    return Markup(
        '<div class="alert" role="alert">\n<p><strong>Nothing was sent yet:</strong></p>\n<ul>\n{}</ul>\n</div>\n'
    ).format(Markup("").join(items))


def _facts(facts: Iterable[tuple[str, str]]) -> Markup:
    return Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>\n").format(name, text) for name, text in facts)


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """The first cell of each row is its heading."""
    head = Markup("").join(
        Markup('<th scope="col">{}</th>').format(text) if text else Markup("<td></td>") for text in heads
    )
    body = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>\n').format(
            row[0], Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row[1:])
        )
        for row in rows
    )
    return Markup("<table>\n<caption>{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table>\n").format(
        caption, head, body
    )


def _list(heading: str, lines: Sequence[Line]) -> Markup:
    if not lines:
        return NOTHING
    items = (Markup("<li>{}</li>\n").format(_arrow(wording.title(one))) for one in lines)
    return Markup("<h2>{}</h2>\n<ul>\n{}</ul>\n").format(heading, Markup("").join(items))


def _said(approved: Sequence[str], number: int) -> str:
    if len(approved) == number:
        return "approved all" if number > 1 else "approved"
    return f"approved {len(approved)} of {number}" if approved else "rejected all" if number > 1 else "rejected"


def _on(state: bool, attribute: str) -> Markup:
    return Markup(f" {attribute}") if state else NOTHING  # noqa: S704 - our own attribute


def _arrow(text: str) -> str:
    return text.replace(" -> ", " \N{RIGHTWARDS ARROW} ")
