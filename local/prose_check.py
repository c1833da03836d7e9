"""Find words in prose that docs/terms.yaml replaces, and print their replacements.

Usage: `python local/prose_check.py [PATH…]`. Prose is what people read: pages of the documentation, docstrings, help
texts, HTML templates and strings with spaces. Code, comments, names in backticks and strings without a space (stored
values, keys) are not prose. Without a PATH it checks everything but the folders that are listed as pending. It ends
with 1 if it finds anything.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
TERMS = ROOT / "docs" / "terms.yaml"
EVERYTHING = ("docs", "layer", "cli", "functions", "packages", "local", "template.yaml")
_FENCE = re.compile(r"^```(\w*)\n.*?^```$", re.MULTILINE | re.DOTALL)
_NO_PROSE_IN = re.compile(r"(?<!`)`[^`]+`(?!`)|\]\([^)\s]*\)|https?://\S+")
_HTML_TAG = re.compile(r"<[^>]*>")
_JINJA = re.compile(r"\{[{%].*?[}%]\}", re.DOTALL)
_QUOTED = re.compile(r"\"[^\"\n]* [^\"\n]*\"|'[^'\n]* [^'\n]*'")
_DESCRIPTION = re.compile(r"^\s*Description: *(?:[>|]-? *\n)?(.*)$", re.MULTILINE)


class NoReason(ValueError):
    """An exception of the term list does not say why it is one."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Prose in a file: `kind` is docstring, message or page; `line` is where its text starts."""

    line: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Term:
    """A word that is searched for, the word to use instead, and where the search does not apply."""

    pattern: re.Pattern[str]
    write: str
    because: str
    kinds: tuple[str, ...]
    only: tuple[str, ...]
    excepted_files: tuple[str, ...]
    excepted_phrases: tuple[re.Pattern[str], ...]

    def found_in(self, passage: Passage, file: str) -> Iterator[re.Match[str]]:
        """Yield each use of the word in a passage that no exception covers."""
        if passage.kind not in self.kinds or _is_below(file, self.excepted_files):
            return
        if self.only and not _is_below(file, self.only):
            return
        allowed = [found.span() for phrase in self.excepted_phrases for found in phrase.finditer(passage.text)]
        for found in self.pattern.finditer(passage.text):
            if not any(start <= found.start() and found.end() <= end for start, end in allowed):
                yield found


@dataclass(frozen=True, slots=True)
class Finding:
    """A use of a word that docs/terms.yaml replaces."""

    file: str
    line: int
    found: str
    term: Term

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.found!r}: write {self.term.write}. {self.term.because}"


@dataclass(frozen=True, slots=True)
class TermList:
    """The content of docs/terms.yaml: the terms, files that quote them, and folders that are not checked yet."""

    terms: tuple[Term, ...]
    quoting: tuple[str, ...]
    pending: tuple[str, ...]


def read_terms(text: str) -> TermList:
    """Return the content of a term list; NoReason if an exception does not say why it is one."""
    document = yaml.safe_load(text)
    if not all((document["quoting"] | document["not_searched"]).values()):
        raise NoReason("quoting and not_searched need a reason for each word or file")
    terms = tuple(_term(entry) for entry in document["terms"])
    return TermList(terms, tuple(document["quoting"]), tuple(document["pending"] or ()))


def check(file: str, text: str, terms: Iterable[Term]) -> Iterator[Finding]:
    """Yield what is found in the text of one file; `file` is its path below the project's folder."""
    for passage in passages(file, text):
        for term in terms:
            for found in term.found_in(passage, file):
                line = passage.line + passage.text.count("\n", 0, found.start())
                yield Finding(file, line, " ".join(found.group().split()), term)


def passages(file: str, text: str) -> Iterator[Passage]:
    """Yield the prose of a Python file, a page in Markdown, an HTML template or the SAM template."""
    suffix = Path(file).suffix
    if suffix == ".py":
        yield from _in_python(text)
    elif suffix == ".md":
        prose = _FENCE.sub(lambda fence: _blank(fence) if fence[1] in ("json", "python", "sql") else fence[0], text)
        yield Passage(1, "page", _NO_PROSE_IN.sub(_blank, prose))
    elif suffix == ".html":
        yield Passage(1, "page", _HTML_TAG.sub(_blank, _JINJA.sub(_quoted, text)))
    elif suffix == ".yaml":
        for found in _DESCRIPTION.finditer(text):
            yield Passage(text.count("\n", 0, found.start(1)) + 1, "page", found[1])


def _in_python(text: str) -> Iterator[Passage]:
    tree = ast.parse(text)
    docstrings = {id(node.value) for parent in ast.walk(tree) for node in _first_expression(parent)}
    parts_of_f_strings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts_of_f_strings |= {id(part) for part in node.values if isinstance(part, ast.Constant)}
            joined = "".join(str(part.value) if isinstance(part, ast.Constant) else "·" for part in node.values)
            yield from _message(node, joined)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts_of_f_strings:
            if id(node) in docstrings:
                yield Passage(node.lineno, "docstring", _NO_PROSE_IN.sub(_blank, node.value))
            else:
                yield from _message(node, node.value)


def _first_expression(parent: ast.AST) -> Iterator[ast.Expr]:
    if isinstance(parent, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield from [node for node in parent.body[:1] if isinstance(node, ast.Expr)]


def _message(node: ast.expr, text: str) -> Iterator[Passage]:
    if " " in text.strip():
        yield Passage(node.lineno, "message", _NO_PROSE_IN.sub(_blank, text))


def _blank(found: re.Match[str]) -> str:
    """Return as many characters on as many lines, so that what follows keeps its line."""
    return re.sub(r"[^\n]", "·", found[0])


def _quoted(found: re.Match[str]) -> str:
    """Return an expression of a template with all but its messages blanked."""
    text, kept = _blank(found), found[0]
    for quoted in _QUOTED.finditer(kept):
        text = text[: quoted.start()] + quoted[0] + text[quoted.end() :]
    return text


def _term(entry: dict[str, Any]) -> Term:
    exceptions = entry.get("except", ())
    if not all(exception.get("because") for exception in exceptions):
        raise NoReason(f"{entry['find']}: an exception needs a reason")
    return Term(
        _compiled(entry["find"]),
        entry["write"],
        entry["because"],
        tuple(entry.get("in", ("docstring", "message", "page"))),
        tuple(entry.get("only", ())),
        tuple(exception["file"] for exception in exceptions if "file" in exception),
        tuple(_compiled(exception["phrase"]) for exception in exceptions if "phrase" in exception),
    )


def _compiled(words: str) -> re.Pattern[str]:
    """Return a pattern that finds the words in either case and across the end of a line."""
    start, end = ("" if words.startswith("^") else r"\b"), ("" if words.endswith("$") else r"\b")
    return re.compile(start + "(?:" + words.replace(" ", r"\s+") + ")" + end, re.IGNORECASE)


def _is_below(file: str, folders: Iterable[str]) -> bool:
    return any(file == folder or file.startswith(f"{folder.rstrip('/')}/") for folder in folders)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in found if file.suffix in (".py", ".md", ".html") or file.name == "template.yaml")


def main(arguments: list[str]) -> int:
    """Print each finding in the files and folders that are named, or everywhere; return 1 if there is one."""
    listed = read_terms(TERMS.read_text())
    paths = [Path(argument).resolve() for argument in arguments]
    skipped = listed.quoting if paths else (*listed.quoting, *listed.pending)
    found = 0
    for path in _files(paths or [*sorted(ROOT.glob("*.md")), *(ROOT / name for name in EVERYTHING)]):
        file = str(path.relative_to(ROOT))
        if not _is_below(file, skipped):
            for finding in check(file, path.read_text(), listed.terms):
                print(finding)
                found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
