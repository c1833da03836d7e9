"""Run one `sam local invoke`, and read the response of its function."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_account.account import ROOT
from local_account.sam_cli import QUICK, SAM

_LONGEST_S = 600


class NotReached(RuntimeError):
    """The handler did not respond; the message says what happened instead, in one line."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The response of a function.

    `kind` is its outcome, the status of a page, or the class of its error; `line` is a summary for people.
    """

    kind: str
    line: str

    @classmethod
    def read(cls, output: str) -> "Answer":
        """Return the response in the output of the SAM CLI; raise NotReached if no handler gave one."""
        try:
            answer = json.loads(output)
        except ValueError:
            raise NotReached(f"no answer, but: {output.strip()[-300:] or 'nothing'}") from None
        if not isinstance(answer, dict):
            raise NotReached(f"no answer, but: {output[:300]}")
        if "errorMessage" not in answer:
            return cls(str(answer.get("outcome") or answer.get("statusCode", "")), _short(answer))
        if not any("/var/task/app.py" in entry for entry in answer.get("stackTrace", [])):
            raise NotReached(f"{answer.get('errorType', 'an error')}: {answer['errorMessage']}")
        return cls(str(answer["errorType"]), str(answer["errorMessage"]))

    @property
    def in_one_line(self) -> bool:
        """Return whether the summary exists and is one line."""
        return bool(self.line.strip()) and "\n" not in self.line.strip()


def invoke(
    logical_id: str,
    event: Path,
    template: Path,
    env_vars: Path,
    environment: Mapping[str, str],
    *,
    layers_are_built: bool = False,
) -> Answer:
    """Invoke a function of a built template in a container; raise NotReached.

    `layers_are_built`: an earlier call has made the image with this layer, so this one does not make it again."""
    options = ["--env-vars", str(env_vars)]
    done = _run(logical_id, event, template, environment, options, layers_are_built=layers_are_built)
    return Answer.read(done.stdout)


def invoke_raw(logical_id: str, event: Path, template: Path, environment: Mapping[str, str]) -> tuple[Any, str]:
    """Invoke a function; return its response and everything that it wrote. Raise NotReached."""
    done = _run(logical_id, event, template, environment, [])
    try:
        return json.loads(done.stdout), done.stderr
    except ValueError:
        raise NotReached(f"no answer, but: {done.stdout.strip()[-300:]}") from None


def _run(
    logical_id: str,
    event: Path,
    template: Path,
    environment: Mapping[str, str],
    options: list[str],
    *,
    layers_are_built: bool = False,
) -> subprocess.CompletedProcess[str]:
    program, variables = (QUICK, {"SAM_LAYERS_ARE_BUILT": "1"}) if layers_are_built else ([str(SAM)], {})
    command = [*program, "local", "invoke", logical_id, "--template", str(template), "--event", str(event)]
    done = subprocess.run(
        [*command, *options, "--skip-pull-image"],
        cwd=ROOT,
        env={**environment, **variables, "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST_S,
    )
    if not done.stdout.strip():
        output = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotReached(f"sam local invoke ended with {done.returncode}: {' | '.join(output[-3:])}")
    return done


def _short(answer: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in answer.items() if name != "body"}, ensure_ascii=False)[:160]
