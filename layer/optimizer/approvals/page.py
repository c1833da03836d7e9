"""The page on which an approver responds to an approval request: one HTML file, no scripts, nothing external.

Every value goes through markupsafe, which escapes all but the mark-up of this module and of page_parts. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from optimizer.approvals import describe
from optimizer.approvals.page_parts import NOTHING, document, facts_list, table
from optimizer.core import ANYONE, LONGEST_NAME, LONGEST_REASON, Approval, StoredChange, harmless
from optimizer.report import Line, count, line

_CHANGE = Markup("""<article class="card" aria-labelledby="title-{n}">
<h3 id="title-{n}">{title}</h3>
<p>{why}</p>
<dl>
{facts}</dl>
{values}<details>
<summary>Evidence and values<span class="hidden"> for {target}</span></summary>
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
<legend>Your response</legend>
{choices}<label class="field" for="by">Your name</label>
<p class="hint" id="by-hint">It is recorded with the changes.</p>
<input type="text" id="by" name="by" value="{by}" maxlength="{longest_name}" autocomplete="name" required
aria-describedby="by-hint"{by_state}>
<label class="field" for="reason">Reason (optional)</label>
<p class="hint" id="reason-hint">It helps those who read the record later.</p>
<textarea id="reason" name="reason" rows="3" maxlength="{longest_reason}"
aria-describedby="reason-hint">{reason}</textarea>
<button type="submit">Send the response</button>
<p class="hint">A response counts once. Changes that you do not approve are rejected.</p>
</fieldset>
""")


@dataclass(frozen=True, slots=True)
class Form:
    """The content of the form; `errors` are pairs of field and message."""

    decision: str = ""
    ticked: frozenset[str] = frozenset()
    by: str = ""
    reason: str = ""
    errors: tuple[tuple[str, str], ...] = ()


def request_page(approval: Approval, approver: str, changes: Sequence[StoredChange], form: Form) -> str:
    """Return the page of an open approval request."""
    ordered = sorted(changes, key=lambda stored: (line(stored).target, stored.change.id))
    number, lines = len(ordered), [line(stored) for stored in ordered]
    title = f"{count(number, 'change')} {'waits' if number == 1 else 'wait'} for your approval"
    facts = [
        ("Respond until", describe.deadline(approval)),
        ("All together", describe.total(lines)),
        *([("Prices", describe.prices(lines))] if describe.prices(lines) else []),
        ("Run", approval.run_id),
        *([("This link is for", f"{approver} only")] if approver != ANYONE else []),
        *([("Approvals needed", describe.agreement(approval))] if describe.agreement(approval) else []),
        *((f"Response of {vote.approver}", describe.verdict(vote.approved, number)) for vote in approval.votes),
    ]
    articles = (_change(n, stored, form, tick=number > 1) for n, stored in enumerate(ordered, start=1))
    main = Markup(
        "{errors}<p>If nobody responds in time, nothing is changed.</p>\n<dl>\n{facts}</dl>\n"
        '<form method="post" accept-charset="utf-8" novalidate>\n'
        "<h2>Changes</h2>\n{articles}{answer}</form>\n"
        "<footer><p>Plan, SHA-256: <code>{digest}</code>. Your response counts for exactly this plan.</p></footer>\n"
    ).format(
        errors=_errors(form),
        facts=facts_list(facts),
        articles=Markup("").join(articles),
        answer=_answer(number, form),
        digest=approval.digest,
    )
    return document(f"Not sent: {title}" if form.errors else title, main, skip=True)


def notice(title: str, paragraphs: Iterable[str], more: Markup = NOTHING) -> str:
    """Return a page with a heading and paragraphs."""
    return document(title, Markup("").join(Markup("<p>{}</p>\n").format(text) for text in paragraphs) + more)


def outcome(approval: Approval, changes: Sequence[StoredChange]) -> Markup:
    """Return lists of approved and rejected changes, and a button to tell the run if that was interrupted."""
    lines = describe.shown(changes)
    parts = [
        _list("Approved", [one for one in lines if one.change_id in approval.approved]),
        _list("Rejected", [one for one in lines if one.change_id not in approval.approved]),
    ]
    if approval.given_back_at is None:
        parts.append(FINISH)
    return Markup("").join(parts)


FINISH = Markup(
    "<h2>The run is being told</h2>\n"
    "<p>The response is recorded. If this page still shows this in a minute, press the button to tell the run.</p>\n"
    '<form method="post"><button name="decision" value="finish">Tell the run</button></form>\n'
)


def _change(n: int, stored: StoredChange, form: Form, *, tick: bool) -> Markup:
    shown = line(stored)
    title = _arrow(describe.title(shown))
    facts = [
        ("Bill", describe.price(shown)),
        *describe.effects(shown),
        ("Risk", describe.risk(shown)),
        ("Roll back", describe.roll_back(stored.change.undo)),
    ]
    rows = describe.before_and_after(shown)
    checked = _on(shown.change_id in form.ticked, "checked")
    return _CHANGE.format(
        n=n,
        title=title,
        target=shown.target,
        why=describe.why(shown),
        facts=facts_list(facts),
        values=table("Now and after the change", ("", "Now", "After"), rows) if rows else "",
        evidence=_evidence(stored, describe.new_values(shown)),
        tick=_TICK.format(id=shown.change_id, n=n, title=title, checked=checked) if tick else "",
    )


def _evidence(stored: StoredChange, new_values: Sequence[tuple[str, str]]) -> Markup:
    rows = list(describe.table_of(stored.change.evidence))
    parts = [
        table("New values", ("Name", "Value"), new_values) if new_values else NOTHING,
        table("Evidence", ("Name", "Value"), rows) if rows else Markup("<p>This change has no evidence.</p>\n"),
    ]
    return NOTHING.join(parts) + Markup(
        "<p>Change <code>{}</code>, on <code>{}</code>, SHA-256 <code>{}</code></p>\n"
    ).format(stored.change.id, harmless(stored.change.target), stored.change.digest)


def _answer(number: int, form: Form) -> Markup:
    if number == 1:
        choices = [("all", "Approve it"), ("none", "Reject it")]
    else:
        choices = [
            ("all", f"Approve all {number}"),
            ("some", "Approve only the changes ticked above"),
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
        '<div class="alert" role="alert">\n<p><strong>Your response was not sent:</strong></p>\n<ul>\n{}</ul>\n</div>\n'
    ).format(Markup("").join(items))


def _list(heading: str, lines: Sequence[Line]) -> Markup:
    if not lines:
        return NOTHING
    items = (Markup("<li>{}</li>\n").format(_arrow(describe.title(one))) for one in lines)
    return Markup("<h2>{}</h2>\n<ul>\n{}</ul>\n").format(heading, Markup("").join(items))


def _on(state: bool, attribute: str) -> Markup:
    return Markup(f" {attribute}") if state else NOTHING  # noqa: S704 - our own attribute


def _arrow(text: str) -> str:
    return text.replace(" -> ", " \N{RIGHTWARDS ARROW} ")
