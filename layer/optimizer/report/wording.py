"""How messages and pages put amounts, numbers, statuses and sentences."""

import re
import textwrap

from optimizer.core import Interval, harmless
from optimizer.report.lines import Line

_WIDTH = 78
_STATUS_WORDS = {
    "awaiting_approval": "waiting for approval",
    "refused": "blocked",
    "reverted": "rolled back",
    "reverting": "rolling back",
    "stale": "outdated",
    "watching": "under observation",
}


def saves_or_costs(bill: Interval) -> str:
    """Return what a change of the bill means: `saves $3.20 ($2.30 to $4.10)`, or `costs $0.06`."""
    if bill.estimate <= 0:
        return f"saves {saved(bill)}"
    return f"costs {saved(Interval(-bill.estimate, -bill.high, -bill.low))}"


def saved(bill: Interval) -> str:
    """Return the savings of a change of the bill, `$3.20 ($2.30 to $4.10)`; they are negative if the bill rises."""
    interval = "" if bill.low == bill.high else f" ({dollars(-bill.high)} to {dollars(-bill.low)})"
    return f"{dollars(-bill.estimate)}{interval}"


def dollars(amount: float) -> str:
    """Return an amount with its sign before the dollar sign: `-$0.20`."""
    return f"{'-' if round(amount, 2) < 0 else ''}${abs(amount):,.2f}"


def count(number: int, word: str) -> str:
    """Return `1 change` or `2 changes`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def status_words(status: str) -> str:
    """Return a status in the words of the glossary; stored values keep their spelling."""
    return _STATUS_WORDS.get(status, status.replace("_", " "))


def reason(shown: Line) -> str:
    """Return the reason without the name of its resource, with which the line begins."""
    return capitalized(shown.reason.removeprefix(f"{shown.target}: "), shown.target)


def capitalized(text: str, target: str) -> str:
    """Return the text with a capital, unless it begins with an identifier, which keeps its spelling.

    Parts of the target are identifiers: the table in `shop/public.customer` is not called Customer.
    """
    first = text.partition(" ")[0].strip(",;")
    is_word = first.isalpha() and first not in re.split(r"[/.]", target)
    return text[:1].upper() + text[1:] if is_word else text


def sentence(part: str) -> str:
    """Return the part with a full stop, unless it ends with a mark of its own."""
    return part if part.endswith((".", "!", "?")) else f"{part}."


def wrap(part: str) -> str:
    """Return the part in lines for mail; names that others chose make no lines and no links."""
    return textwrap.fill(
        harmless(part),
        _WIDTH,
        subsequent_indent="  " if part.startswith("- ") else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
