"""The report as HTML: a page for the run and one for each resource, each a single file without anything external."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from optimizer.core import figure, harmless
from optimizer.report import charts, wording
from optimizer.report.advice_lines import AdviceLine
from optimizer.report.lines import Line
from optimizer.report.resource_document import kind_of, name_of, page_name
from optimizer.report.review import Review
from optimizer.report.summary import Report
from optimizer.report.text import last_message

if TYPE_CHECKING:
    from optimizer.capacity.provisioned import Timetable

# Nobody scrolls through more; report.json has the rest.
_MOST = 200
_LARGEST = 12
_SECTIONS = (
    ("Applied (kept or under observation)", "changed"),
    ("Rolled back", "taken_back"),
    ("Failed", "failed"),
    ("Started and not finished", "unfinished"),
    ("Waiting for approval", "waiting"),
    ("Approved, and waiting to be applied", "scheduled"),
    ("Recommended", "recommended"),
    ("Rejected", "rejected"),
    ("Blocked by a guardrail", "refused"),
)
_TONES = {"kept": "good", "watching": "good", "failed": "bad", "reverted": "bad", "refused": "wait", "stale": "wait"}


def run_page(report: Report) -> str:
    """Return the page of a run."""
    sections = [(title, lines) for title, name in _SECTIONS if (lines := getattr(report, name))]
    return _ENVIRONMENT.get_template("run.html").render(
        report=report, sections=sections, picture=_amounts(report), most=_MOST
    )


def review_page(made: Review) -> str:
    """Return the page of a review."""
    weeks = [week.week for week in made.weeks]
    pictures = [
        (charts.lines(caption, weeks, {caption: values}), caption)
        for caption, values in (
            ("Calls a day", [week.calls_day for week in made.weeks]),
            (
                "Environments, if all functions had their peak at once",
                [float(week.environments) for week in made.weeks],
            ),
        )
    ]
    return _ENVIRONMENT.get_template("review.html").render(made=made, pictures=pictures)


def target_page(document: Mapping[str, Any]) -> str:
    """Return the page of a function, database or cache from its document (resource_document)."""
    picture = document["picture"] or {}
    return _ENVIRONMENT.get_template("target.html").render(
        page=document,
        heat=charts.heat_levels(picture["week"]) if picture else None,
        forecasts=[
            (charts.forecast(made, picture["band"]), _forecast_caption(made)) for made in picture.get("forecasts", [])
        ],
        memory=_memory(document["memory"]),
        need=_need(document),
        indexes=_indexes(document["sizes"]),
        curves=[(_curve(found), found["namespace"]) for found in document["curves"]],
    )


def _amounts(report: Report) -> Markup | None:
    lines = [line for line in (*report.changed, *report.recommended, *report.waiting) if line.usd_month]
    largest = sorted(lines, key=lambda line: abs(line.usd_month.estimate if line.usd_month else 0.0))[-_LARGEST:]
    if not largest:
        return None
    names = [f"{line.target}, {_words(line.tuner)}" for line in largest]
    amounts = [-line.usd_month.estimate if line.usd_month else None for line in largest]
    title = "Estimated and potential savings in USD a month: the largest changes"
    return charts.bars(title, names, {"savings, USD a month": amounts})


def _forecast_caption(made: Mapping[str, Any]) -> str:
    at = datetime.fromisoformat(made["from"])
    ahead = all(value is None for value in made["came"])
    period = (
        "The next 24 hours: forecast"
        if ahead
        else "The last 24 hours: the forecast made before them, and the actual calls"
    )
    return f"{period}. From {at:%A} {at:%H:%M} on; method: {made['method']}."


def _memory(memory: Mapping[str, Any] | None) -> list[tuple[Markup, str]]:
    if not memory:
        return []
    drawn = []
    for value, caption in (("mean_ms", "Mean duration in ms"), ("usd_million", "USD a million calls")):
        marked = [(key, memory[key]["memory_mb"], memory[key][value]) for key in ("now", "chosen") if memory[key]]
        if any(size[value] is None for size in memory["sizes"]):
            # The price of the Region is not known.
            continue
        drawn.append((charts.by_memory(f"{caption}, by memory size", memory["sizes"], value, marked), caption))
    return drawn


def _need(document: Mapping[str, Any]) -> Markup | None:
    week = (document["picture"] or {}).get("need")
    if not week or all(value is None for value in week["mean"]):
        return None
    held = document["provisioned"] or {}
    by_hour = [
        _by_hour(week, held.get(f"timetable_{at}"), held.get(f"environments_{at}")) for at in ("before", "after")
    ]
    return charts.need(week, *by_hour)


def _by_hour(week: Mapping[str, Any], timetable: Mapping[str, Any] | None, held: float | None) -> list[float] | None:
    """Return the environments provisioned in each hour of the chart."""
    if timetable is None:
        return None if held is None else [held] * len(week["mean"])
    start, read = datetime.fromisoformat(week["from"]), _timetable(timetable)
    return [read.held_at(start + timedelta(hours=hour, minutes=30)) for hour in range(len(week["mean"]))]


def _timetable(document: Mapping[str, Any]) -> "Timetable":
    # Few functions have one.
    from optimizer.capacity.provisioned import Timetable

    return Timetable.from_document(document)


def _indexes(sizes: list[Mapping[str, Any]]) -> Markup | None:
    if not sizes:
        return None
    largest = sorted(sizes, key=lambda size: size["before_mb"])[-_LARGEST:]
    series = {name: [size[f"{name}_mb"] for size in largest] for name in ("before", "after")}
    return charts.bars("Index sizes in MB, before and after", [size["name"] for size in largest], series)


def _curve(found: Mapping[str, Any]) -> Markup:
    points = [(ttl_s, ratio) for ttl_s, ratio in found["curve"]]
    marked = {
        name: (at, _nearest(points, at))
        for name, at in (
            ("now", found["ttl_s_before"]),
            ("knee", found["knee_ttl_s"]),
            ("chosen", found["ttl_s_after"]),
        )
        if at is not None
    }
    return charts.curve(f"Hit ratio against TTL of {found['namespace']}", points, marked, "TTL in seconds")


def _nearest(points: list[tuple[float, float]], at: float) -> float:
    return min(points, key=lambda point: abs(point[0] - at))[1]


def _words(name: str) -> str:
    """Return a key as words: `cache_ttls` as "cache ttls"."""
    return name.replace("_", " ")


def _number(value: float | None) -> str:
    """Return a number with three significant digits or more and no exponent; "-" if it is not known."""
    return "-" if value is None else figure(value)


def _page(item: Line | AdviceLine | Mapping[str, Any]) -> str:
    """Return the path of the page of a resource, relative to the run's page."""
    if isinstance(item, AdviceLine):
        return f"{page_name('function', item.target)}.html"
    target, tuner = (item.target, item.tuner) if isinstance(item, Line) else (item["target"], item["tuner"])
    return f"{page_name(kind_of(tuner), name_of(target))}.html"


def page_environment() -> Environment:
    """Return the environment of the pages: their look, and filters for amounts, times and words."""
    return _ENVIRONMENT


def _shown(value: Any) -> Any:
    """Return a value of a template as it may stand on a page: names that others chose hide nothing and are no links."""
    return harmless(value) if type(value) is str else value


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("optimizer.report", "templates"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "day": lambda at: f"{at:%Y-%m-%d}",
        "last_part": lambda name: name.rpartition("/")[2],
        "moment": lambda at: f"{at:%Y-%m-%d %H:%M}",
        "number": _number,
        "page": _page,
        "reason": wording.reason,
        "message": last_message,
        "share": lambda share: f"{share:.0%}",
        "short": lambda target: target.rsplit(":function:", 1)[-1],
        "by_hour": lambda timetable: _timetable(timetable).words(),
        "dollars": wording.dollars,
        "tone": lambda status: _TONES.get(status, "soft"),
        "status": wording.status_words,
        "words": _words,
    }
    environment.filters |= filters
    return environment


_ENVIRONMENT = _environment()
