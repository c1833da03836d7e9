"""An assessment as one page of text for a terminal of 80 columns. Pure."""

import textwrap
from collections.abc import Iterator, Sequence

from optimizer.assess.model import Assessment, ServerRow
from optimizer.assess.totals import Totals, finding_of, label_of, own_usd_month, totals_of
from optimizer.core import Interval, Tuner, figure
from optimizer.report import count, dollars

WIDTH = 80
# A page has room for so many lines of each list; the HTML page and --csv have all.
_MOST = 8
_NAME = 26


def page(assessment: Assessment) -> str:
    """Return the page."""
    totals = totals_of(assessment)
    parts = [
        _head(assessment, totals),
        _savings(assessment, totals),
        _faster(totals),
        _hindrances(totals),
        _advice(assessment),
        _servers(assessment.servers),
        _rights(assessment),
        _next(assessment, totals),
    ]
    return "\n\n".join("\n".join(part) for lines in parts if (part := list(lines))) + "\n"


def _head(assessment: Assessment, totals: Totals) -> Iterator[str]:
    at = f"{assessment.ended_at:%Y-%m-%d %H:%M} UTC"
    state = "" if assessment.is_complete else ", first look"
    yield f"Account {assessment.account}, {assessment.region}, {at}{state}"
    yield "=" * WIDTH
    idle = f", {totals.idle} not called in {assessment.days:g} days" if totals.idle else ""
    yield _fact("Functions", f"{totals.functions:,}{idle}")
    kinds = [count(sum(row.kind == kind for row in assessment.servers), kind) for kind in ("database", "cache")]
    yield _fact("Beside them", ", ".join(kinds))
    if totals.bill_usd_month is not None:
        yield _fact(
            "Lambda bill", f"{dollars(totals.bill_usd_month)} a month at list prices, by {assessment.days:g} days"
        )
    yield _fact("Prices", "; ".join(assessment.prices) or "not known for this Region, so no savings are estimated")
    if not assessment.is_complete:
        yield _fact("Looked at closely", f"{totals.assessed:,} so far; those that cost most come first")
        return
    share = f", {totals.saved_share:.0%} of it" if totals.saved_share else ""
    yield _fact("Could be saved", f"{_money(totals.saved)} a month{share}" if totals.savers else "nothing was found")
    if totals.warmers:
        cost = f"pings cost {dollars(max(0.0, totals.warmups_usd_month))} a month"
        yield _fact("Could be faster", f"{figure(totals.cold_starts.estimate)} fewer cold starts a month; {cost}")
    if totals.faster:
        yield _fact("", f"{count(len(totals.faster), 'function')} with shorter calls, by memory size")
    if totals.unsafe:
        yield _fact("At risk", f"{count(len(totals.unsafe), 'function')} close to running out of memory")


def _fact(name: str, text: str) -> str:
    lines = textwrap.wrap(text, WIDTH - 20) or [""]
    return "\n".join(f"{name if n == 0 else '':<18}  {line}" for n, line in enumerate(lines))


def _savings(assessment: Assessment, totals: Totals) -> Iterator[str]:
    if not assessment.is_complete:
        yield from _dearest(assessment)
        return
    if not totals.savers:
        return
    yield "Largest savings, USD a month"
    for row in totals.savers[:_MOST]:
        found = next(one for one in row.findings if one.saved_usd_month.estimate > 0)
        yield _line(row.name, found.what, dollars(row.saved_usd_month.estimate))
        if row.hindrances:
            yield _note(f"not by itself: {', '.join(label_of(one.rule) for one in row.hindrances)}")
    yield from _more(totals.savers)


def _dearest(assessment: Assessment) -> Iterator[str]:
    dear = sorted(assessment.functions, key=lambda row: -(row.bill_usd_month or 0.0))
    dear = [row for row in dear if row.bill_usd_month]
    if not dear:
        return
    yield "Largest bills, USD a month"
    for row in dear[:_MOST]:
        calls = f"{row.memory_mb} MB, {figure(row.calls_day or 0.0)} calls a day"
        mean = f", {figure(row.mean_ms)} ms" if row.mean_ms else ""
        yield _line(row.name, f"{calls}{mean}", dollars(row.bill_usd_month or 0.0))
    yield from _more(dear)


def _faster(totals: Totals) -> Iterator[str]:
    rows = [*totals.warmers[: _MOST // 2], *totals.faster[: _MOST // 2]]
    if not rows:
        return
    yield "Could be faster"
    for row in totals.warmers[: _MOST // 2]:
        found = finding_of(row, Tuner.WARMUPS.value)
        if found and found.cold_starts_month:
            fewer = figure(-found.cold_starts_month.estimate)
            yield _line(row.name, f"{fewer} fewer cold starts a month", f"{_cost(found.usd_month)}")
    yield from _more(totals.warmers, _MOST // 2)
    for row in totals.faster[: _MOST // 2]:
        found = finding_of(row, Tuner.MEMORY.value)
        if found and found.latency_ms:
            shorter = f"{found.what}: {figure(-found.latency_ms.estimate)} ms shorter"
            yield _line(row.name, shorter, _cost(found.usd_month))


def _cost(usd: Interval | None) -> str:
    return "" if usd is None else f"{'+' if usd.estimate >= 0.005 else ''}{dollars(usd.estimate)}"


def _hindrances(totals: Totals) -> Iterator[str]:
    if not totals.groups:
        return
    yield "What stops it, and what removes that                     functions  savings"
    for group in totals.groups:
        saved = dollars(group.saved) if group.saved else "-"
        yield f"  {group.label[:52]:<53}{len(group.functions):>11,}{saved:>9}"
        yield f"      {group.remedy}"


def _advice(assessment: Assessment) -> Iterator[str]:
    rows = [row for row in assessment.functions if row.advice]
    if not rows:
        return
    yield f"Advice: {count(len(rows), 'function')}"
    for row in rows[:_MOST]:
        for subject, words in row.advice:
            yield _line(row.name, subject.replace("_", " "), "")
            yield _note(words)
    yield from _more(rows)


def _servers(servers: Sequence[ServerRow]) -> Iterator[str]:
    if not servers:
        return
    yield "Databases and caches (nothing connected to them)"
    for row in servers[:_MOST]:
        yield f"  {row.name}: {row.engine}{f', {row.size}' if row.size else ''}"
        if not row.is_supported:
            yield _note("its engine is not one that the optimizer knows")
        for advice in row.advice:
            yield _note(advice)
        if row.needs:
            yield _note(f"to {row.can}: {'; '.join(row.needs)}")
    yield from _more(servers)


def _rights(assessment: Assessment) -> Iterator[str]:
    if not assessment.missing_rights:
        return
    yield f"Missing rights: {len(assessment.missing_rights)} (optimizer assess --rights prints all)"
    for right in assessment.missing_rights:
        yield f"  {right.action}"
        yield _note(right.without)


def _next(assessment: Assessment, totals: Totals) -> Iterator[str]:
    spent = assessment.spent
    called = totals.functions - totals.idle
    if assessment.is_complete and called:
        own = own_usd_month(assessment)
        yield f"The optimizer itself would cost about {dollars(own)} a month here (optimizer cost)."
        if own > totals.saved.high:
            yield "That may be more than it saves in money; what it makes faster comes on top."
    yield f"Read with {sum(spent.calls.values()):,} calls for about ${figure(spent.usd)}; nothing was written."
    if assessment.is_complete and totals.functions:
        yield "Next: sam build && sam deploy, then tag functions (docs/deploy.md)."


def _line(name: str, what: str, amount: str) -> str:
    short = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
    room = WIDTH - 2 - _NAME - 2 - 11
    what = what if len(what) <= room else f"{what[: room - 1]}…"
    return f"  {short:<{_NAME}}  {what:<{room}}{amount:>11}"


def _note(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="      ", subsequent_indent="      ")


def _more(rows: Sequence[object], most: int = _MOST) -> Iterator[str]:
    if len(rows) > most:
        yield f"  and {len(rows) - most:,} more, on the page and in --csv"


def _money(saved: Interval) -> str:
    return f"{dollars(saved.estimate)} ({dollars(saved.low)} to {dollars(saved.high)})"
