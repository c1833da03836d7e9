"""The local account starts runtimes through exec wrappers as Lambda does, and so the layer optimizer-warmable."""

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import pytest
from local_account.account import LocalAccount
from local_account.sam_cli import SAM
from optimizer.core.ping import ping_payload, read_answer
from optimizer.core.warm_layer import LAYER_NAME, SCRIPT, VARIABLE, is_wrapped

from tests.helpers.documents import ROOT, commands
from tests.helpers.small_stacks import make_role, may
from tests.helpers.warm_layer import archive

pytestmark = pytest.mark.starts_servers

PING = ping_payload(0)
PYTHON = {
    "orders/app.py": """
import os
print("init")
def handler(event, context):
    print("called")
    if "fail" in event:
        raise KeyError("no such order")
    return {"ran": event, "seen": os.environ.get("SEEN", ""), "handler": os.environ["_HANDLER"]}
"""
}
NODE = {
    "index.mjs": """
console.log("init");
export const handler = async (event) => {
  console.log("called");
  if (event.fail) throw new TypeError("no such order");
  return { ran: event, seen: process.env.SEEN ?? "", handler: process.env._HANDLER };
};
"""
}
CALLBACK = {
    "index.js": """
exports.handler = (event, context, callback) =>
  event.fail ? callback(new TypeError("no such order")) : callback(null, { ran: event });
"""
}
RUNTIMES = {
    "python": ("python3.13", "orders/app.handler", PYTHON),
    "node": ("nodejs20.x", "index.handler", NODE),
    "node with a callback": ("nodejs20.x", "index.handler", CALLBACK),
}
# Adds to the environment what it was started with.
OWN_SCRIPT = '#!/bin/sh\nexport SEEN="$# $_HANDLER"\nexec "$@"\n'


def zipped(files: dict[str, str], mode: int = 0o644) -> bytes:
    """Return an archive of these files with these permissions."""
    content = io.BytesIO()
    with ZipFile(content, "w") as made:
        for name, text in files.items():
            entry = ZipInfo(name)
            entry.external_attr = (0o100000 | mode) << 16
            made.writestr(entry, text)
    return content.getvalue()


class Functions:
    """Makes functions in an account, and calls them."""

    def __init__(self, account: LocalAccount) -> None:
        self.account, self.client = account, account.session.client("lambda")

    def make(self, name: str, runtime: str, handler: str, code: bytes, layer: bytes = b"", wrapper: str = "") -> str:
        """Create a function, with a layer of its own; return its name."""
        layers = []
        if layer:
            made = self.client.publish_layer_version(LayerName=LAYER_NAME, Content={"ZipFile": layer})
            layers.append(made["LayerVersionArn"])
        self.client.create_function(
            FunctionName=name,
            Role=make_role(self.account, "functions", may("logs:*")),
            Runtime=runtime,
            Handler=handler,
            Code={"ZipFile": code},
            Layers=layers,
            Environment={"Variables": {VARIABLE: wrapper} if wrapper else {}},
        )
        return name

    def call(self, name: str, event: Any) -> tuple[Any, str]:
        """Call a function; return its answer, and the kind of its error."""
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        return json.loads(answer["Payload"].read()), answer.get("FunctionError", "")


@pytest.fixture
def functions(empty: LocalAccount) -> Functions:
    return Functions(empty)


@pytest.mark.parametrize("language", ["python", "node"])
def test_wrapper_script_starts_the_runtime(language: str, functions: Functions, program: Callable[[str], str]) -> None:
    """It gets the runtime's command line as its arguments, and what it exports reaches the function."""
    program("node")
    runtime, handler, files = RUNTIMES[language]
    layer = zipped({"bin/wrap": OWN_SCRIPT}, 0o755)
    name = functions.make(f"wrapped-{language}", runtime, handler, zipped(files), layer, "/opt/bin/wrap")
    answer, error = functions.call(name, {"order": 1})
    assert error == ""
    assert answer == {"ran": {"order": 1}, "seen": f"2 {handler}", "handler": handler}


@pytest.mark.parametrize(
    ("mode", "path", "status"),
    [(0o755, "/opt/bin/other", 127), (0o644, "/opt/bin/wrap", 126)],
    ids=["does not exist", "is not executable"],
)
def test_wrapper_script_that_cannot_run_fails_each_call(
    mode: int, path: str, status: int, functions: Functions
) -> None:
    layer = zipped({"bin/wrap": OWN_SCRIPT}, mode)
    name = functions.make(f"unusable-{status}", *RUNTIMES["python"][:2], zipped(PYTHON), layer, path)
    answer, error = functions.call(name, {"order": 1})
    assert error
    assert (answer["errorType"], answer["errorMessage"].rpartition(": ")[2]) == (
        "Runtime.ExitError",
        f"exit status {status}",
    )


@pytest.mark.parametrize("language", RUNTIMES)
def test_layer_answers_pings_and_leaves_the_rest(
    language: str, functions: Functions, program: Callable[[str], str]
) -> None:
    """A ping runs none of the function's code; calls and errors are those of the function without the layer."""
    program("node")
    runtime, handler, files = RUNTIMES[language]
    slug = language.replace(" ", "-")
    plain = functions.make(f"plain-{slug}", runtime, handler, zipped(files))
    own = functions.make(f"warm-{slug}", runtime, handler, zipped(files), archive(), SCRIPT)
    assert is_wrapped(functions.client.get_function(FunctionName=own)["Configuration"])
    assert not is_wrapped(functions.client.get_function(FunctionName=plain)["Configuration"])

    first, error = functions.call(own, json.loads(PING))
    assert error == ""
    assert read_answer(json.dumps(first).encode()).cold
    again, _ = functions.call(own, json.loads(PING))
    assert again == {"optimizer_warmup": {"cold": False, "instance": first["optimizer_warmup"]["instance"]}}

    ordinary = functions.call(own, {"order": 1})
    assert ordinary == functions.call(plain, {"order": 1})
    assert ordinary[0]["ran"] == {"order": 1}
    assert said(functions.call(own, {"fail": 1})) == said(functions.call(plain, {"fail": 1}))


def said(answer: tuple[Any, str]) -> tuple[Any, ...]:
    """Return what an error says, without its stack."""
    payload, error = answer
    assert error
    return payload["errorType"], payload["errorMessage"], error


def test_documented_commands_deploy_the_layer(functions: Functions, tmp_path: Path) -> None:
    """The stack prints the ARN of the layer that was built, which a function can use."""
    documented = [one.text for one in commands() if "optimizer-warmable/layer" in one.text]
    build, deploy = (shlex.split(text) for text in documented)
    assert (build[0], deploy[0]) == ("python", "sam")
    subprocess.run([sys.executable, *build[1:]], cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {**inherited, **functions.account.environment(), "SAM_CLI_TELEMETRY": "0", "HOME": str(tmp_path)}
    deployed = subprocess.run(  # noqa: S603
        [SAM, *deploy[1:]], cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    (stack,) = functions.account.session.client("cloudformation").describe_stacks(StackName="optimizer-warmable")[
        "Stacks"
    ]
    (arn,) = (output["OutputValue"] for output in stack["Outputs"])
    assert ":layer:optimizer-warmable:" in arn

    runtime, handler, files = RUNTIMES["python"]
    name = functions.make("with-the-stack", runtime, handler, zipped(files))
    # As the page says, live.
    variables = {"Variables": {VARIABLE: SCRIPT}}
    functions.client.update_function_configuration(FunctionName=name, Layers=[arn], Environment=variables)
    answer, _ = functions.call(name, json.loads(PING))
    assert read_answer(json.dumps(answer).encode()).cold


@pytest.mark.parametrize(
    ("runtime", "handler", "files"),
    [
        ("python3.13", "app.handler", {"app.py": "import not_packaged"}),
        ("python3.13", "app.handler", {"app.py": "def other(): pass"}),
        ("nodejs20.x", "index.handler", {"index.js": "throw new RangeError('no table')"}),
    ],
    ids=["python misses a module", "python has no handler", "node throws"],
)
def test_errors_of_init_are_those_without_the_layer(
    runtime: str, handler: str, files: dict[str, str], request: Any, functions: Functions, program: Any
) -> None:
    program("node")
    slug = request.node.callspec.id.replace(" ", "-")
    plain = functions.make(f"broken-{slug}", runtime, handler, zipped(files))
    own = functions.make(f"broken-warm-{slug}", runtime, handler, zipped(files), archive(), SCRIPT)
    assert said(functions.call(own, {})) == said(functions.call(plain, {}))
