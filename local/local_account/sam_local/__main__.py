"""Invoke every function of template.yaml with its event in a container: `python -m local_account.sam_local`.

The functions work on the application deployed into a local account, which they reach through this machine's address on
the containers' own network. `--variables STACK` prints instead the variables of a stack that is deployed into your own
account, for `sam local invoke --env-vars`.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import boto3

from local_account.account import ROOT, LocalAccount
from local_account.builds import LOCAL_ARCHITECTURE, built_for
from local_account.deploy import STACK, deploy_application
from local_account.fleet import FleetSource
from local_account.processes import HOST
from local_account.sam_local import image, template
from local_account.sam_local.engine import CannotRun, Engine, engine
from local_account.sam_local.expected import EXPECTED, ORDER
from local_account.sam_local.invoke import NotReached, invoke
from local_account.sam_local.relay import relay
from local_account.sam_local.wrapped import check_wrapped

FOLDER = ROOT / ".build" / "sam-local"
# Enough functions for a run to have something to analyse.
_FUNCTIONS = 3
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Place:
    """The place where the functions are invoked."""

    template: Path
    env_vars: Path
    environment: dict[str, str]
    by_name: dict[str, str]


def main() -> int:
    """Invoke all; return 1 if a response is wrong, or if containers cannot run and CI wants them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variables", metavar="STACK")
    parser.add_argument("--wrapped", action="store_true", help="invoke only functions with the warm-up layer")
    asked = parser.parse_args()
    if asked.variables:
        with built_for(LOCAL_ARCHITECTURE) as built:
            by_name = template.functions(template.of_build(built))
        print(json.dumps(template.variables(boto3.client("lambda"), asked.variables, by_name), indent=2))
        return 0
    began = time.monotonic()
    try:
        with engine(FOLDER) as running:
            image.make(running)
            print(f"The image is there after {time.monotonic() - began:.0f} s.", flush=True)
            wrapped = invoke_wrapped(running)
            if asked.wrapped:
                return 1 if wrapped else 0
            wrong = invoke_all(running)
    except CannotRun as reason:
        print(f"sam local invoke was not tried: {reason}", file=sys.stderr)
        return 1 if os.environ.get("CI") == "true" else 0
    verdict = f"{len(wrong)} of {len(EXPECTED)} answered wrongly" if wrong else "all answered correctly"
    print(f"{len(EXPECTED)} functions in {time.monotonic() - began:.0f} s: {verdict}.")
    return 1 if wrong or wrapped else 0


def invoke_wrapped(running: Engine) -> list[str]:
    """Print the responses of functions with the warm-up layer; return the names of the wrong ones."""
    checks = check_wrapped(running, FOLDER / "wrapped")
    for one in checks:
        print(f"{'WRONG' if one.problem else 'ok   '} {one.name:32} {one.problem or one.line}", flush=True)
    return [one.name for one in checks if one.problem]


def invoke_all(running: Engine) -> list[str]:
    """Print the response of each function; return the names of those with a wrong response."""
    wrong = []
    with place(running) as at:
        if set(at.by_name) != set(EXPECTED):
            raise SystemExit(f"expected.py and template.yaml differ: {sorted(set(at.by_name) ^ set(EXPECTED))}")
        # The first one makes the image with the layer, with the SAM CLI as it is.
        first, *others = ORDER[0]
        wrong += [first] if answers_wrongly(first, at) else []
        for stage in (others, *ORDER[1:]):
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                problems = pool.map(lambda name: answers_wrongly(name, at, layers_are_built=True), stage)
                wrong += [name for name, problem in zip(stage, problems, strict=True) if problem]
    return wrong


def answers_wrongly(name: str, at: Place, *, layers_are_built: bool = False) -> bool:
    """Invoke a function and print its response; return whether it was wrong."""
    began = time.monotonic()
    try:
        event = ROOT / "events" / f"{name}.json"
        answer = invoke(
            at.by_name[name], event, at.template, at.env_vars, at.environment, layers_are_built=layers_are_built
        )
        right = answer.kind == EXPECTED[name] and answer.in_one_line
        description = (
            f"{answer.kind}: {answer.line}" if right else f"{answer.kind}, not {EXPECTED[name]}: {answer.line}"
        )
    except NotReached as problem:
        right, description = False, f"not reached: {problem}"
    print(f"{'ok   ' if right else 'WRONG'} {name:23} {time.monotonic() - began:5.1f} s  {description}", flush=True)
    return not right


@contextmanager
def place(running: Engine) -> Iterator[Place]:
    """Provide the application in a local account that containers can reach."""
    with ExitStack() as open_:
        account = open_.enter_context(LocalAccount(FleetSource(datetime.now(UTC), functions=_FUNCTIONS)))
        deploy_application(account)
        built = open_.enter_context(built_for(LOCAL_ARCHITECTURE))
        by_name = template.functions(template.of_build(built))
        lambda_ = account.session.client("lambda")
        outside = {}
        for name, url in account.environment().items():
            if name.startswith("AWS_ENDPOINT_URL"):
                port = open_.enter_context(relay(running.gateway, int(url.rpartition(":")[2])))
                outside[name] = url.replace(f"//{HOST}:{url.rpartition(':')[2]}", f"//{running.gateway}:{port}")
        credentials = {n: v for n, v in account.environment().items() if not n.startswith("AWS_ENDPOINT_URL")}
        yield Place(
            template.with_endpoints(built, outside),
            template.write(FOLDER / "env-vars.json", template.variables(lambda_, STACK, by_name)),
            {**running.environment, **credentials},
            by_name,
        )


if __name__ == "__main__":
    sys.exit(main())
