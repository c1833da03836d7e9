"""Invoke functions that have the layer optimizer-warmable, and the same functions without it, as `sam local` does.

Python runs AWS's own runtime client, Node.js the project's stand-in for it; both start as Lambda starts them.
"""

import json
import runpy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local_account.account import ROOT
from local_account.sam_local.engine import Engine
from local_account.sam_local.invoke import invoke_raw

_BUILD = ROOT / "packages" / "optimizer-warmable" / "layer" / "build.py"
_SOURCES = {
    "python/app.py": """\
def handler(event, context):
    print("own code runs")
    if "fail" in event:
        raise KeyError("no such order")
    return {"ran": event}
""",
    "nodejs/index.mjs": """\
export const handler = async (event) => {
  console.log("own code runs");
  if (event.fail) throw new TypeError("no such order");
  return { ran: event };
};
""",
}
_RUNTIMES = {"python": ("python3.13", "app.handler"), "nodejs": ("nodejs20.x", "index.handler")}
_EVENTS: dict[str, dict[str, Any]] = {
    "ping": {"optimizer_warmup": {"hold_ms": 20}},
    "call": {"order": 1},
    "error": {"fail": True},
}
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A check of one runtime; `problem` is empty if it answered as it should."""

    name: str
    problem: str
    line: str


def check_wrapped(running: Engine, folder: Path) -> list[Wrapped]:
    """Invoke both functions of each runtime with a ping, a call and an error."""
    template = _template(folder)
    asked = [(runtime, event, wrapped) for runtime in _RUNTIMES for event, wrapped in _invocations()]

    def answer(one: tuple[str, str, bool]) -> tuple[Any, bool]:
        runtime, event, wrapped = one
        path = folder / f"{event}.json"
        output, log = invoke_raw(f"{runtime}{'Wrapped' if wrapped else 'Plain'}", path, template, running.environment)
        return output, "own code runs" in log

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = dict(zip(asked, pool.map(answer, asked), strict=True))
    return [judge(runtime, event, answers) for runtime in _RUNTIMES for event in _EVENTS]


def _invocations() -> Iterator[tuple[str, bool]]:
    for event in _EVENTS:
        yield event, True
        if event != "ping":
            yield event, False


def judge(runtime: str, event: str, answers: dict[tuple[str, str, bool], tuple[Any, bool]]) -> Wrapped:
    """Judge the answers, each with whether own code ran, by runtime, event and whether it has the layer."""
    name = f"{runtime} {event} with the layer"
    answer, ran = answers[runtime, event, True]
    line = json.dumps(answer)[:160]
    if event == "ping":
        answered = isinstance(answer, dict) and set(answer.get("optimizer_warmup", ())) == {"cold", "instance"}
        problem = "its own code ran" if ran else "" if answered else "no answer of the protocol"
        return Wrapped(name, problem, line)
    plain, _ = answers[runtime, event, False]
    # The answer shows that own code ran; its lines may be lost with the container.
    same = _said(answer) == _said(plain)
    return Wrapped(name, "" if same else f"without the layer: {json.dumps(plain)[:300]}", line)


def _said(answer: Any) -> Any:
    """Return an answer without the id of its call and without the frames of the runtime."""
    if not isinstance(answer, dict) or "errorType" not in answer:
        return answer
    stack = answer.get("stackTrace") or answer.get("trace") or []
    return answer["errorType"], answer["errorMessage"], [frame for frame in stack if "/var/task/" in frame]


def _template(folder: Path) -> Path:
    """Write functions, layer, events and their template below a folder; return the template."""
    for name, source in _SOURCES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    script = runpy.run_path(str(_BUILD))["unpack"](folder / "layer")
    for name, event in _EVENTS.items():
        (folder / f"{name}.json").write_text(json.dumps(event))
    layer = {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "layer"}}
    resources: dict[str, Any] = {"Layer": layer}
    for runtime, (version, handler) in _RUNTIMES.items():
        own = {"Runtime": version, "Handler": handler, "CodeUri": runtime, "Architectures": ["x86_64"], "Timeout": 30}
        variables = {"AWS_LAMBDA_EXEC_WRAPPER": f"/opt/{script.name}"}
        wrapped = {**own, "Layers": [{"Ref": "Layer"}], "Environment": {"Variables": variables}}
        for name, properties in ((f"{runtime}Plain", own), (f"{runtime}Wrapped", wrapped)):
            resources[name] = {"Type": "AWS::Serverless::Function", "Properties": properties}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Transform": "AWS::Serverless-2016-10-31"}
    path = folder / "template.yaml"
    path.write_text(yaml.safe_dump({**template, "Resources": resources}, sort_keys=False))
    return path
