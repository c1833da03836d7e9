"""Read from template.yaml and the state machine what a run that ships is: inputs, parameters, sizes of the Lambdas."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SCHEDULES = {"daily": "Daily", "weekly": "Weekly"}


def default_of(parameter: str) -> Any:
    """Return the default of a parameter."""
    return _template()["Parameters"][parameter]["Default"]


def tuners_of(schedule: str) -> list[str]:
    """Return the tuners that a schedule asks for."""
    events = _template()["Resources"]["Optimize"]["Properties"]["Events"]
    tuners: list[str] = json.loads(events[SCHEDULES[schedule]]["Properties"]["Input"])["tuners"]
    return tuners


def size_of(function: str) -> tuple[int, float]:
    """Return the memory size and the timeout in seconds of a Lambda, by the name of its folder."""
    template, logical = _template(), "".join(part.title() for part in function.split("_"))
    given = {**template["Globals"]["Function"], **template["Resources"][logical]["Properties"]}
    return int(given["MemorySize"]), float(given["Timeout"])


@cache
def _template() -> Any:
    return yaml.load((ROOT / "template.yaml").read_text(), Loader=_Tags)  # noqa: S506 - builds plain values only


class _Tags(yaml.SafeLoader):
    """A YAML loader that reads !Ref and the like as nothing."""


_Tags.add_multi_constructor("!", lambda *_: None)
