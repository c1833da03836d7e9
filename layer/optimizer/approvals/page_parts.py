"""Parts of a page, whatever its content. Every value goes through markupsafe, which escapes all but mark-up. Pure."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from markupsafe import Markup

from optimizer.report import BASE_STYLE

_OWN_STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
STYLE = Markup(f"{BASE_STYLE}{_OWN_STYLE}")  # noqa: S704 - our own files
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
_SKIP = Markup('<a class="skip" href="#answer">Skip to your response</a>\n')


def document(title: str, main: Markup, *, skip: bool = False) -> str:
    """Return a whole page."""
    return str(_DOCUMENT.format(title=title, main=main, style=STYLE, skip=_SKIP if skip else ""))


def facts_list(facts: Iterable[tuple[str, str]]) -> Markup:
    """Return the inside of a description list."""
    return Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>\n").format(name, text) for name, text in facts)


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """Return a table. The first cell of each row is its heading."""
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
