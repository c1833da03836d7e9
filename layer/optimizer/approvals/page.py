"""The page on which an approver reads the question and answers it: one HTML file without scripts or anything external.

Every value goes through markupsafe, which escapes whatever is not mark-up of this module and of `html`. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from optimizer.approvals import describe
from optimizer.approvals.page_parts import NOTHING, document, facts_list, table
from optimizer.core import ANYONE, LONGEST_NAME, LONGEST_REASON, Approval, StoredChange
from optimizer.report import Line, line

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


def question(asked: Approval, approver: str, changes: Sequence[StoredChange], form: Form) -> str:
    """The page with the question."""
    ordered = sorted(changes, key=lambda stored: (line(stored).target, stored.change.id))
    number, lines = len(ordered), [line(stored) for stored in ordered]
    title = f"{describe.count(number, 'change')} {'waits' if number == 1 else 'wait'} for your answer"
    facts = [
        ("Answer until", describe.deadline(asked)),
        ("All together", describe.total(lines)),
        ("Run", asked.run_id),
        *([("This link is for", f"{approver} alone")] if approver != ANYONE else []),
        *([("Who must agree", describe.agreement(asked))] if describe.agreement(asked) else []),
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
        facts=facts_list(facts),
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
    lines = describe.shown(changes)
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
        at = describe.moment(vote.at, asked.time_zone)
        said.append(f"{who} answered on {at}: {_said(vote.approved, len(asked.changes))}{why}.")
    return said


FINISH = Markup(
    "<h2>The run is being told</h2>\n"
    "<p>The answer is recorded. If this page still says so in a minute, something broke off: press the button.</p>\n"
    '<form method="post"><button name="decision" value="finish">Tell the run</button></form>\n'
)


def _change(n: int, stored: StoredChange, form: Form, *, tick: bool) -> Markup:
    shown = line(stored)
    title = _arrow(describe.title(shown))
    facts = [
        ("Price", describe.price(shown)),
        *describe.effects(shown),
        ("Risk", describe.risk(shown)),
        ("How it is undone", describe.undo(stored.change.undo)),
    ]
    rows = describe.before_and_after(shown)
    checked = _on(shown.change_id in form.ticked, "checked")
    return _CHANGE.format(
        n=n,
        title=title,
        target=shown.target,
        why=describe.why(shown),
        facts=facts_list(facts),
        values=table("Now and after it", ("", "Now", "After"), rows) if rows else "",
        evidence=_evidence(stored, describe.put_in_place(shown)),
        tick=_TICK.format(id=shown.change_id, n=n, title=title, checked=checked) if tick else "",
    )


def _evidence(stored: StoredChange, put_in_place: Sequence[tuple[str, str]]) -> Markup:
    rows = list(describe.table_of(stored.change.evidence))
    parts = [
        table("What is put in place", ("What", "Value"), put_in_place) if put_in_place else NOTHING,
        table("Evidence", ("What", "Value"), rows) if rows else Markup("<p>No evidence was given.</p>\n"),
    ]
    return NOTHING.join(parts) + Markup(
        "<p>Change <code>{}</code>, on <code>{}</code>, SHA-256 <code>{}</code></p>\n"
    ).format(stored.change.id, stored.change.target, stored.change.digest)


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


def _list(heading: str, lines: Sequence[Line]) -> Markup:
    if not lines:
        return NOTHING
    items = (Markup("<li>{}</li>\n").format(_arrow(describe.title(one))) for one in lines)
    return Markup("<h2>{}</h2>\n<ul>\n{}</ul>\n").format(heading, Markup("").join(items))


def _said(approved: Sequence[str], number: int) -> str:
    if len(approved) == number:
        return "approved all" if number > 1 else "approved"
    return f"approved {len(approved)} of {number}" if approved else "rejected all" if number > 1 else "rejected"


def _on(state: bool, attribute: str) -> Markup:
    return Markup(f" {attribute}") if state else NOTHING  # noqa: S704 - our own attribute


def _arrow(text: str) -> str:
    return text.replace(" -> ", " \N{RIGHTWARDS ARROW} ")
