"""Answer queries of Logs Insights that add up lines (`stats`), which MiniStack 1.5.33 answers as if it were not there.

As much of the language as a reader of REPORT lines asks for: filter, parse with a pattern, fields, stats ... by, sort
and limit; anything else is an error and never guessed. Fields are those that AWS discovers: of REPORT lines in text
("Supported logs and discovered fields"; memory in bytes, a million to the MB), and each key of a line of JSON, with
dots.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import cloudwatch_logs

type Line = dict[str, Any]

_REPORTED = {
    "@requestId": (r"RequestId: (\S+)", None),
    "@duration": (r"\tDuration: ([\d.]+) ms", 1.0),
    "@billedDuration": (r"\tBilled Duration: ([\d.]+) ms", 1.0),
    "@memorySize": (r"\tMemory Size: (\d+) MB", 1e6),
    "@maxMemoryUsed": (r"\tMax Memory Used: (\d+) MB", 1e6),
    "@initDuration": (r"\tInit Duration: ([\d.]+) ms", 1.0),
}
# A bar inside a pattern or a text is followed by no command.
_COMMANDS = re.compile(r"\|(?=\s*(?:filter|parse|fields|display|stats|sort|limit|dedup)\b)")
_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_WORDS = re.compile(
    r"""(?P<text>"[^"]*"|'[^']*')|(?P<span>\d+[smhd]\b)|(?P<number>\d+(?:\.\d+)?)|(?P<call>[a-z]\w*)\(|"""
    r"""(?P<word>and|or|not)\b|(?P<name>@?[A-Za-z_][\w.]*)|(?P<sign>!=|<=|>=|[-+*/=<>(),])|\s+""",
    re.VERBOSE,
)


class _Nothing:
    """A field that a line does not have: what is computed from it is not there either."""

    def _itself(self, _other: object = None) -> "_Nothing":
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = _itself

    def _never(self, _other: object) -> bool:
        return False

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _never  # type: ignore[assignment]

    def __hash__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return False


NOTHING = _Nothing()


class NotKnown(ValueError):
    """The query uses what is not played here."""


def patch() -> None:
    """Answer queries with `stats`, and leave the others to the emulator."""
    start = cloudwatch_logs._start_query

    def start_query(data: dict[str, Any]) -> Any:
        if not re.search(r"\|\s*stats\b", data.get("queryString", "")):
            return start(data)
        answer = start({**data, "queryString": "fields @message"})
        if answer[0] != 200:
            return answer
        query = cloudwatch_logs._queries[json.loads(answer[2])["queryId"]]
        groups = cloudwatch_logs._resolve_query_log_groups(data)
        lines = cloudwatch_logs._collect_query_records(groups, query["startTime"], query["endTime"])
        try:
            rows = answer_rows(data["queryString"], [_discovered(line) for line in lines])
        except NotKnown as error:
            return error_response_json("MalformedQueryException", str(error), 400)
        query["results"] = rows
        query["statistics"]["recordsMatched"] = float(len(lines))
        return answer

    cloudwatch_logs._start_query = start_query


def answer_rows(text: str, lines: list[Line]) -> list[list[dict[str, str]]]:
    """Return the rows that Logs Insights answers for the lines, each a list of field and value."""
    shown: list[str] = []
    moments: set[str] = set()
    for stage in _COMMANDS.split(text):
        word, _, rest = stage.strip().partition(" ")
        if word == "filter":
            lines = [line for line in lines if _filter(rest.strip(), line)]
        elif word == "parse":
            lines = [_parsed(rest.strip(), line) for line in lines]
        elif word == "fields":
            parts = _parts(rest)
            lines = [line | {name: _value(part, line) for part, name in parts} for line in lines]
        elif word == "stats":
            lines, shown, moments = _stats(rest, lines)
        elif word == "sort":
            name, _, way = rest.strip().partition(" ")
            lines.sort(key=lambda line: (line[name] is not NOTHING, line[name]), reverse=way.strip() != "asc")
        elif word == "limit":
            lines = lines[: int(rest)]
        else:
            raise NotKnown(f"{word} is not played here")
    return [
        [
            {"field": name, "value": _text(line[name], is_moment=name in moments)}
            for name in shown
            if line[name] is not NOTHING
        ]
        for line in lines
    ]


def _discovered(record: Mapping[str, Any]) -> Line:
    message = record["@message"]
    line: Line = {name: record[name] for name in ("@message", "@logStream", "@log")}
    line["@timestamp"] = record["_timestamp_ms"]
    if message.startswith("REPORT "):
        line["@type"] = "REPORT"
        for name, (pattern, factor) in _REPORTED.items():
            if found := re.search(pattern, message):
                line[name] = found[1] if factor is None else float(found[1]) * factor
    elif message.startswith("{"):
        # A line that only looks like JSON has no fields.
        with contextlib.suppress(ValueError):
            line |= _flat(json.loads(message))
    return line


def _flat(document: Any, before: str = "") -> Line:
    if not isinstance(document, dict):
        return {before[:-1]: document} if before else {}
    return {name: value for key, part in document.items() for name, value in _flat(part, f"{before}{key}.").items()}


def _filter(text: str, line: Line) -> bool:
    like = re.fullmatch(r"(@?\w+)\s+like\s+/((?:\\.|[^/])+)/", text)
    if like:
        return re.search(like[2], str(line.get(like[1], ""))) is not None
    return bool(_value(text, line))


def _parsed(text: str, line: Line) -> Line:
    found = re.fullmatch(r"(@\w+)\s+/((?:\\.|[^/])+)/", text)
    if not found:
        raise NotKnown(f"parse {text}")
    pattern = re.compile(found[2].replace("(?<", "(?P<"))
    match = pattern.search(str(line.get(found[1], "")))
    return line | (match.groupdict() if match else dict.fromkeys(pattern.groupindex, NOTHING))


def _stats(text: str, lines: list[Line]) -> tuple[list[Line], list[str], set[str]]:
    wanted, _, by = text.partition(" by ")
    keys, sums = _parts(by), _parts(wanted)
    groups: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        groups.setdefault(tuple(_value(part, line) for part, _ in keys), []).append(line)
    names = [name for _, name in keys]
    rows = [
        dict(zip(names, key, strict=True)) | {name: _aggregate(part, found) for part, name in sums}
        for key, found in groups.items()
    ]
    return rows, [*names, *(name for _, name in sums)], {name for part, name in keys if part.startswith("bin(")}


def _aggregate(text: str, lines: list[Line]) -> Any:
    call = re.fullmatch(r"(\w+)\((.*)\)", text)
    if not call:
        raise NotKnown(f"stats {text}")
    kind, inside = call[1], [part for part, _ in _parts(call[2])]
    if kind == "count" and inside == ["*"]:
        return len(lines)
    values = [float(value) for line in lines if (value := _value(inside[0], line)) is not NOTHING]
    if kind == "count":
        return len(values)
    if kind == "pct":
        return _percentile(values, float(inside[1])) if values else NOTHING
    known: dict[str, Callable[[Iterable[float]], float]] = {"sum": sum, "max": max, "min": min}
    if kind not in known:
        raise NotKnown(f"stats {kind}()")
    return known[kind](values) if values else NOTHING


def _percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(percent / 100 * len(ordered)))]


def _parts(text: str) -> list[tuple[str, str]]:
    """Return (expression, name) of a list with commas; an expression without `as` is its own name."""
    parts, depth, now = [], 0, ""
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(now)
            now = ""
        else:
            now += letter
    pairs = [re.split(r"\s+as\s+", part.strip()) for part in [*parts, now] if part.strip()]
    return [(pair[0], pair[-1]) for pair in pairs]


def _value(text: str, line: Line) -> Any:
    source, at = "", 0
    while at < len(text):
        found = _WORDS.match(text, at)
        if not found:
            raise NotKnown(f"expression {text!r}")
        source += _as_python(found)
        at = found.end()
    functions = {"coalesce": _coalesce, "bin": lambda span: line["@timestamp"] // span * span}
    try:
        # Its words were all read above: fields by name, two functions, numbers, texts and signs.
        return eval(source, {"__builtins__": {}}, {"field": lambda name: _number(line.get(name, NOTHING)), **functions})  # noqa: S307
    except (NameError, SyntaxError) as error:
        raise NotKnown(f"expression {text!r}: {error}") from error


def _as_python(found: re.Match[str]) -> str:
    kind = found.lastgroup
    if kind == "span":
        return str(int(found[0][:-1]) * _UNITS_MS[found[0][-1]])
    if kind == "name":
        return f"field({found[0]!r})"
    if kind == "sign":
        return "==" if found[0] == "=" else found[0]
    return f" {found[0]} " if kind == "word" else found[0]


def _number(value: Any) -> Any:
    """Return the number that a field holds as text; Logs Insights computes with these, too."""
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    return NOTHING if value is None else value


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value is not NOTHING), NOTHING)


def _text(value: Any, *, is_moment: bool) -> str:
    if is_moment:
        return str(cloudwatch_logs._format_insights_timestamp(value))
    # A comparison is 1 or 0.
    is_whole = isinstance(value, bool) or (isinstance(value, float) and value.is_integer())
    return str(int(value)) if is_whole else str(value)
