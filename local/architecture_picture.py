"""`python -m architecture_picture` writes docs/architecture.svg: a run, and the life of one change.

The picture names every Lambda and the state machines of template.yaml; a test fails when one is missing or when the
file differs from what this module draws.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from shipped_template import ROOT

PICTURE = ROOT / "docs" / "architecture.svg"
WIDTH, HEIGHT = 1080, 888
_TITLE = "A run of the optimizer, and the life of one change"
_DESCRIPTION = (
    "EventBridge Scheduler starts the state machine optimize. StartRun takes the lock; functions, databases and caches "
    "are analysed in parallel; CheckGuardrails, the automatic changes, RenderReport and PublishResults follow. "
    "The state machine approve asks people: RequestApproval, the approved changes, PublishResults. "
    "Each change is an execution of the state machine change: apply, poll, verify, then keep or roll back, publish."
)
_STYLE = """
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
text { font-size: 13px; fill: #1b2733 }
.page { fill: #ffffff }
.machine { fill: #f3f6fa; stroke: #7b8da1 }
.group { fill: none; stroke: #7b8da1; stroke-dasharray: 5 4 }
.step { fill: #e3efff; stroke: #2f6fbd }
.bad { fill: #ffeadf; stroke: #b4501e }
.aws { fill: #eef7ea; stroke: #3f7d32 }
.yours { fill: #fff6db; stroke: #94700c }
.name { font-size: 12.5px; font-weight: 600 }
.head { font-size: 15px; font-weight: 600 }
.small { font-size: 11.5px; fill: #46586b }
.arrow { fill: none; stroke: #46586b; stroke-width: 1.6; marker-end: url(#tip) }
.tip { fill: #46586b }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf5 }
  .page { fill: #10171f }
  .machine { fill: #18222d; stroke: #74879b }
  .group { stroke: #74879b }
  .step { fill: #173454; stroke: #6ba7ef }
  .bad { fill: #4a2413; stroke: #ee9467 }
  .aws { fill: #1b3417; stroke: #84c375 }
  .yours { fill: #3d3110; stroke: #dcb64b }
  .small { fill: #adbccb }
  .arrow { stroke: #adbccb }
  .tip { fill: #adbccb }
}
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with a name and lines of smaller text below it."""

    x: int
    y: int
    name: str
    lines: tuple[str, ...] = ()
    kind: str = "step"
    width: int = 150
    height: int = 48

    def draw(self) -> str:
        """Return the SVG elements of the box."""
        middle = self.x + self.width / 2
        first = self.y + self.height / 2 + 4.5 - 8 * len(self.lines)
        texts = [_text(middle, first, self.name, "name")]
        texts += [_text(middle, first + 16 * number, line, "small") for number, line in enumerate(self.lines, 1)]
        return _rectangle(self.x, self.y, self.width, self.height, self.kind) + "".join(texts)


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle around boxes, with its name in the upper left corner."""

    x: int
    y: int
    width: int
    height: int
    name: str
    note: str = ""
    kind: str = "machine"

    def draw(self) -> str:
        """Return the SVG elements of the frame."""
        title = f'<tspan class="{"head" if self.kind == "machine" else "small"}">{escape(self.name)}</tspan>'
        note = f'<tspan class="small" dx="10">{escape(self.note)}</tspan>' if self.note else ""
        text = f'<text x="{self.x + 14}" y="{self.y + 22}">{title}{note}</text>\n'
        return _rectangle(self.x, self.y, self.width, self.height, self.kind) + text


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line through these points, with a tip at its end and perhaps a few words."""

    points: tuple[tuple[int, int], ...]
    label: str = ""
    at: tuple[int, int] = (0, 0)

    def draw(self) -> str:
        """Return the SVG elements of the arrow."""
        path = "M" + " L".join(f"{x} {y}" for x, y in self.points)
        label = f'<text class="small" x="{self.at[0]}" y="{self.at[1]}">{escape(self.label)}</text>\n'
        return f'<path class="arrow" d="{path}"/>\n' + (label if self.label else "")


_FRAMES = (
    Frame(200, 16, 864, 368, "State machine optimize", "one execution a run; only one run at a time"),
    Frame(376, 46, 676, 214, "in parallel, batches of targets", kind="group"),
    Frame(200, 400, 864, 104, "State machine approve"),
    Frame(200, 522, 864, 196, "State machine change", "one execution a change; each step of it can be repeated"),
)
_SIDE = 172
_ROW = (212, 382, 552, 722, 892)
_BOXES = (
    Box(8, 124, "EventBridge Scheduler", ("starts a run",), "aws", width=_SIDE),
    Box(8, 202, "ReadPrices", ("of AWS, every week",), width=_SIDE),
    Box(212, 124, "StartRun", ("lock, policy, targets",)),
    Box(482, 74, "AnalyzeTraffic", ("history, forecast",)),
    Box(672, 74, "PlanWarmups", ("pings",)),
    Box(862, 74, "PlanCapacity", ("memory, provisioned",), width=160),
    Box(482, 136, "PlanIndexMaintenance", ("findings, changes",), width=184),
    Box(482, 198, "PlanCacheTtls", ("hit ratios, TTLs",)),
    Box(_ROW[0], 306, "CheckGuardrails", ("allowed or blocked",)),
    Box(_ROW[1], 306, "StartApproval", ("only in mode approve",)),
    Box(_ROW[2], 306, "StartChanges", ("the automatic ones",)),
    Box(_ROW[3], 306, "RenderReport", ("pages with charts",)),
    Box(_ROW[4], 306, "PublishResults", ("message and event",)),
    Box(_ROW[1], 436, "RequestApproval", ("waits for people",)),
    Box(_ROW[2], 436, "StartChanges", ("the approved ones",)),
    Box(_ROW[4], 436, "PublishResults", ("what was approved",)),
    Box(_ROW[0], 564, "Apply", ("records, then acts",)),
    Box(_ROW[1], 564, "Poll", ("until it is in effect",)),
    Box(_ROW[2], 564, "Verify", ("under observation",)),
    Box(_ROW[3], 564, "Keep", ("no worse than before",)),
    Box(_ROW[4], 600, "PublishResults", ("its outcome",)),
    Box(_ROW[3], 636, "Roll back", ("restores the state",), "bad"),
    Box(8, 564, "EventBridge Scheduler", ("of applied changes",), "aws", width=_SIDE),
    Box(8, 642, "WarmFunction", ("sends pings",), width=_SIDE),
    Box(8, 720, "ProvisionFunction", ("follows timetables",), width=_SIDE),
    Box(200, 762, "Your resources", ("functions, caches,", "indexes"), "yours", width=160, height=72),
    Box(376, 762, "DynamoDB table", ("lock, runs, changes,", "approvals"), "aws", width=160, height=72),
    Box(552, 762, "S3 bucket", ("policy, history,", "reports"), "aws", width=160, height=72),
    Box(728, 762, "SNS, EventBridge", ("messages, events",), "aws", width=150, height=72),
    Box(914, 762, "People", ("AnswerApproval", "ShowReport"), "yours", width=150, height=72),
    Box(8, 798, "LeaveAccount", ("before the stack is deleted",), width=_SIDE),
)
_ARROWS = (
    Arrow(((180, 148), (210, 148))),
    Arrow(((94, 172), (94, 200))),
    Arrow(((362, 148), (374, 148))),
    Arrow(((632, 98), (670, 98))),
    Arrow(((822, 98), (860, 98))),
    Arrow(((714, 260), (714, 282), (287, 282), (287, 304))),
    *(Arrow(((x + 150, 330), (x + 168, 330))) for x in _ROW[:-1]),
    Arrow(((457, 354), (457, 434))),
    Arrow(((532, 460), (550, 460))),
    Arrow(((702, 460), (890, 460))),
    Arrow(((640, 354), (640, 388), (190, 388), (190, 588), (210, 588)), "each change", (212, 383)),
    Arrow(((627, 484), (627, 512), (190, 512), (190, 588), (210, 588))),
    *(Arrow(((x + 150, 588), (x + 168, 588))) for x in _ROW[:3]),
    Arrow(((872, 588), (881, 588), (881, 614), (890, 614))),
    Arrow(((627, 612), (627, 660), (720, 660)), "worse", (640, 654)),
    Arrow(((872, 660), (881, 660), (881, 634), (890, 634))),
    Arrow(((94, 612), (94, 640))),
    Arrow(((180, 666), (190, 666), (190, 780), (198, 780))),
    Arrow(((180, 744), (190, 744), (190, 798), (198, 798))),
    Arrow(((287, 612), (287, 760)), "ChangeWarmups, ChangeCapacity,", (300, 680)),
    Arrow(((456, 718), (456, 760))),
    Arrow(((632, 718), (632, 760))),
    Arrow(((803, 718), (803, 760))),
    Arrow(((878, 798), (912, 798))),
)
_NOTES = (
    (472, 422, "one execution a run that asks people; it holds no lock"),
    (300, 696, "ChangeCacheTtls or ChangeIndexes acts"),
    (390, 102, "functions"),
    (390, 164, "databases"),
    (390, 226, "caches"),
    (
        200,
        864,
        "All state machines use the table, the bucket and the topic. A run ends without waiting for people.",
    ),
)


def picture() -> str:
    """Return the content of the SVG file."""
    parts = (*_FRAMES, *_ARROWS, *_BOXES)
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" ',
            'aria-labelledby="title description">\n',
            f'<title id="title">{_TITLE}</title>\n<desc id="description">{_DESCRIPTION}</desc>\n',
            f"<style>{_STYLE}</style>\n",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" ',
            'orient="auto">',
            '<path class="tip" d="M0 0 L8 4 L0 8 z"/></marker></defs>\n',
            f'<rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="8"/>\n',
            *(part.draw() for part in parts),
            *_notes(_NOTES),
            "</svg>\n",
        )
    )


def _notes(notes: Iterable[tuple[int, int, str]]) -> list[str]:
    return [f'<text class="small" x="{x}" y="{y}">{escape(text)}</text>\n' for x, y, text in notes]


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="middle">{escape(text)}</text>\n'


def _rectangle(x: int, y: int, width: int, height: int, kind: str) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>\n'


if __name__ == "__main__":
    PICTURE.write_text(picture())
