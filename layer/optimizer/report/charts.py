"""Charts as inline SVG, drawn by pygal and coloured by the page's own style sheet; no script, nothing external.

Each has a title for readers who cannot see it. Numbers that are not known (None) are left out.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pygal  # type: ignore[import-untyped]
from markupsafe import Markup
from pygal.style import Style  # type: ignore[import-untyped]

type Point = tuple[float, float]

_SVG = "{http://www.w3.org/2000/svg}"
# pygal places text by its size; the colours are the page's.
_STYLE = Style(
    font_family="inherit",
    label_font_size=13,
    major_label_font_size=13,
    legend_font_size=13,
    title_font_size=14,
    no_data_font_size=14,
)
_OPTIONS: Mapping[str, Any] = {
    "style": _STYLE,
    "css": [],
    "js": [],
    "width": 760,
    "height": 300,
    "margin": 6,
    "spacing": 8,
    "show_dots": False,
    "legend_at_bottom": True,
    "legend_box_size": 10,
    "disable_xml_declaration": True,
    "no_data_text": "no data",
    "include_x_axis": True,
    "truncate_legend": -1,
    "max_scale": 7,
    "min_scale": 3,
}


def forecast(made: Mapping[str, Any], band: float) -> Markup:
    """Draw calls an hour: the forecast with its prediction interval, and the actual calls where they are known."""
    chart = pygal.XY(**{**_OPTIONS, "x_labels": _hours(made["from"], len(made["expected"]), 3)})
    edges = [*enumerate(made["high"]), *reversed(list(enumerate(made["low"])))]
    chart.add(f"{band:.0%} prediction interval", [*edges, edges[0]], fill=True)
    chart.add("forecast", list(enumerate(made["expected"])))
    actual = _known(enumerate(made["came"]))
    if actual:
        chart.add("actual", actual, show_dots=True, dots_size=3)
    start = made["from"][:16].replace("T", " ")
    return _svg(chart, f"Calls an hour: forecast from {start} on, by the hour", "band-chart")


def need(week: Mapping[str, Any], held_before: Sequence[float] | None, held_after: Sequence[float] | None) -> Markup:
    """Draw the environments needed and provisioned in each hour of the last week."""
    hours = len(week["mean"])
    chart = pygal.XY(**{**_OPTIONS, "x_labels": _hours(week["from"], hours, 24), "include_x_axis": True})
    chart.add("most needed at once", _known(enumerate(week["most"])))
    chart.add("needed on average", _known(enumerate(week["mean"])))
    for name, held in (("provisioned now", held_before), ("proposed", held_after)):
        if held is not None and (name == "provisioned now" or held != held_before):
            chart.add(name, [(at, n) for hour, n in enumerate(held) for at in (hour, hour + 1)][:-1])
    return _svg(chart, "Environments needed and provisioned, by the hour of the last week", "need-chart")


def by_memory(
    title: str,
    sizes: Sequence[Mapping[str, Any]],
    value: str,
    marked: Sequence[tuple[str, float, float | None]],
) -> Markup:
    """Draw a quantity against memory: the sizes seen, with the interval of each where it is known, and those `marked`
    (name, MB, value)."""
    options = {**_OPTIONS, "width": 380, "height": 280, "stroke": False, "show_dots": True, "dots_size": 5}
    xs = sorted({*(size["memory_mb"] for size in sizes), *(mb for _, mb, _ in marked)})
    least, most = (xs[0], xs[-1]) if xs else (0, 0)
    around = max((most - least) * 0.15, 64)
    chart = pygal.XY(
        **options,
        x_labels=[{"value": mb, "label": f"{mb:g}"} for mb in _apart(xs, (most - least) / 8)],
        xrange=(max(0, least - around), most + around),
        x_title="MB",
    )
    chart.add("seen", _known((size["memory_mb"], size[value]) for size in sizes))
    for name, mb, at in marked:
        if at is not None:
            chart.add(name, [(mb, at)], dots_size=7)
    for size in sizes:
        low, high = size.get(f"{value}_low"), size.get(f"{value}_high")
        if low is not None and high is not None:
            chart.add(None, [(size["memory_mb"], low), (size["memory_mb"], high)], stroke=True, show_dots=False)
    return _svg(chart, title, "memory-chart")


def bars(title: str, names: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> Markup:
    """Draw horizontal bars, one group for each name."""
    height = 90 + 26 * len(names) * max(1, len(series))
    chart = pygal.HorizontalBar(**{**_OPTIONS, "height": height, "x_labels": list(names), "truncate_label": 30})
    for name, values in series.items():
        chart.add(name, list(values))
    return _svg(chart, title, "bar-chart")


def curve(title: str, points: Sequence[Point], marked: Mapping[str, Point], x_title: str) -> Markup:
    """Draw one quantity against another, with some points named."""
    chart = pygal.XY(**{**_OPTIONS, "x_title": x_title, "show_dots": True, "dots_size": 3})
    chart.add("hit ratio", list(points))
    for name, point in marked.items():
        chart.add(name, [point], dots_size=7, stroke=False)
    return _svg(chart, title, "curve-chart")


def lines(title: str, labels: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> Markup:
    """Draw values over time."""
    chart = pygal.Line(
        **{**_OPTIONS, "x_labels": list(labels), "show_dots": True, "dots_size": 3, "truncate_label": -1}
    )
    for name, values in series.items():
        chart.add(name, list(values))
    return _svg(chart, title, "line-chart")


def _svg(chart: Any, title: str, kind: str) -> Markup:
    titles = [series for series in chart.raw_series if series[1].get("title") is not None]
    chart.show_legend = len(titles) > 1
    # pygal leaves no room for fewer legends than there are columns, so all are in one row.
    chart.legend_at_bottom_columns = max(1, len(titles))
    root = chart.render_tree()
    for comment in [child for child in root if not isinstance(child.tag, str)]:
        root.remove(comment)
    # The picture follows the width of the page, which scrolls if it must.
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("class", f"chart {kind}")
    root.set("role", "img")
    root.set("aria-label", title)
    for parent in list(root.iter()):
        # An id must be unique on the page, which has several pictures.
        parent.attrib.pop("id", None)
        for child in list(parent):
            # pygal's hints for its script, repeated labels and empty style sheets.
            if str(child.tag).removeprefix(_SVG) in ("desc", "title", "script", "defs"):
                parent.remove(child)
    heading = ET.Element("title")
    heading.text = title
    root.insert(0, heading)
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - escaped by the tree


def _hours(start: str, hours: int, every: int) -> list[dict[str, Any]]:
    first = datetime.fromisoformat(start)
    moments = [(hour, first + timedelta(hours=hour)) for hour in range(hours)]
    labelled = [(hour, at) for hour, at in moments if (at.hour == 0 if every == 24 else at.hour % every == 0)]
    return [{"value": hour, "label": f"{at:%a}" if at.hour == 0 else f"{at:%H:%M}"} for hour, at in labelled]


def _apart(values: Sequence[float], least: float) -> list[float]:
    """Return the values that are far enough apart for their labels."""
    kept: list[float] = []
    for value in values:
        if not kept or value - kept[-1] >= least:
            kept.append(value)
    return kept


def _known(points: Iterable[tuple[float, float | None]]) -> list[Point]:
    return [(x, y) for x, y in points if y is not None]


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LEVELS = 7


@dataclass(frozen=True, slots=True)
class Heat:
    """Days with their 24 cells: the level, 0 to 6 or `n` for no data, and the calls in words. `most`: the most calls in
    an hour."""

    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    most: str


def heat_levels(week: Sequence[Sequence[float | None]]) -> Heat | None:
    """Return levels by the square root, so that small numbers differ too; None if there is no data at all."""
    known = [calls for day in week for calls in day if calls is not None]
    if not known:
        return None
    most = max(known)
    rows = tuple(
        (name, tuple((_level(calls, most), _words(calls)) for calls in day))
        for name, day in zip(_DAYS, week, strict=True)
    )
    return Heat(rows, f"{most:g}")


def _level(calls: float | None, most: float) -> str:
    if calls is None:
        return "n"
    if most <= 0 or calls <= 0:
        return "0"
    return str(min(_LEVELS - 1, 1 + int(math.sqrt(calls / most) * (_LEVELS - 1) * 0.999)))


def _words(calls: float | None) -> str:
    return "no data" if calls is None else f"{calls:g}"
