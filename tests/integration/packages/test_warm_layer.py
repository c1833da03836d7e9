"""The layer optimizer-warmable on the runtimes: Python's own client, and a stand-in for that of Node.js."""

import ast
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from local_account.lambda_runtimes.environment import Answer, Environment, NoAnswer
from optimizer.core.ping import ping_payload, read_answer

from tests.helpers.warm_layer import LAYER, ROOT, build_script

PING = json.loads(ping_payload(0))
FAIL = {"fail": True}
ORDER = {"order": 1}


@pytest.fixture
def wrapper(tmp_path: Path) -> str:
    return str(build_script().unpack(tmp_path / "opt"))


@pytest.fixture
def code(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / "task" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "task"

    return write


def without_ids(answer: Answer) -> Answer:
    """Return the answer without the id of its call, which differs between two calls."""
    if isinstance(answer.payload, dict) and "requestId" in answer.payload:
        return Answer({**answer.payload, "requestId": ""}, answer.error)
    return answer


PYTHON_ORDERS = """
import logging, os
print("init")
def handler(event, context):
    logging.getLogger().warning("order %s of %s", event, context.function_name)
    if event.get("fail"):
        raise KeyError("no such order")
    return {"ran": event, "left": context.get_remaining_time_in_millis() > 0, "handler": os.environ["_HANDLER"]}
"""
PYTHON = {
    "function": ("app.handler", {"app.py": PYTHON_ORDERS}),
    "name with slashes": ("src/orders/app.handler", {"src/orders/app.py": PYTHON_ORDERS}),
    "name with dots": ("src.orders.app.handler", {"src/orders/app.py": PYTHON_ORDERS}),
    "imported by its package": (
        "orders.app.handler",
        {"orders/__init__.py": "from orders.app import handler", "orders/app.py": PYTHON_ORDERS},
    ),
    "object with other uses": (
        "app.orders",
        {
            "app.py": """
class Orders:
    rules = ["at most 5"]
    def __call__(self, event, context):
        import reader
        if event.get("fail"):
            raise KeyError("no such order")
        return {"ran": event, **reader.read()}
orders = Orders()
""",
            "reader.py": """
def read():
    import app
    from app import orders
    return {"rules": orders.rules, "kind": type(orders).__name__, "same": app.orders is orders}
""",
        },
    ),
    "made on demand": (
        "app.handler",
        {
            "app.py": """
def __getattr__(name):
    if name != "handler":
        raise AttributeError(name)
    return lambda event, context: {"ran": event} if "order" in event else {}[event["fail"]]
"""
        },
    ),
    "module that replaced itself": (
        "app.handler",
        {
            "app.py": """
import sys
class Application:
    def handler(self, event, context):
        return {"ran": event} if "order" in event else {}[event["fail"]]
sys.modules[__name__] = Application()
"""
        },
    ),
    # The runtime does not await it, and says so.
    "async function": ("app.handler", {"app.py": "async def handler(event, context): return 1"}),
    "generator": ("app.handler", {"app.py": "def handler(event, context): yield 1"}),
}
NODE_ORDERS = """
console.log("init", process.env._HANDLER, process.env.OPTIMIZER_WARMABLE_HANDLER);
HANDLER = async (event, context) => {
  console.log("order", event, context.functionName);
  if (event.fail) throw new TypeError("no such order");
  return { ran: event, left: context.getRemainingTimeInMillis() > 0 };
};
"""
COMMONJS = NODE_ORDERS.replace("HANDLER =", "exports.handler =")
MODULE = NODE_ORDERS.replace("HANDLER =", "export const handler =")
NODE = {
    "CommonJS": ("index.handler", {"index.js": COMMONJS}),
    "CommonJS by its extension": ("index.handler", {"index.cjs": COMMONJS}),
    "in a folder": ("src/orders/index.handler", {"src/orders/index.js": COMMONJS}),
    "ES module": ("index.handler", {"index.mjs": MODULE}),
    "ES module by its package": ("index.handler", {"index.js": MODULE, "package.json": '{"type": "module"}'}),
    "module that awaits": ("index.handler", {"index.mjs": "await new Promise((r) => setTimeout(r, 5));" + MODULE}),
    "nested": ("index.api.orders", {"index.js": COMMONJS + "exports.api = { orders: exports.handler };"}),
    "callback": (
        "index.handler",
        {
            "index.js": """
exports.handler = (event, context, callback) => {
  if (event.order) setTimeout(() => callback(null, { ran: event }), 2);
  else callback(new TypeError("no such order"));
};
"""
        },
    ),
    "throws at once": (
        "index.handler",
        {"index.js": 'exports.handler = (event) => { if (event.fail) throw new RangeError("too many"); };'},
    ),
    "parameters": ("index.handler", {"index.js": "exports.handler = async function (...all) { return all.length; }"}),
    "streaming": (
        "index.handler",
        {
            "index.mjs": """
export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
  if (event.fail) throw new TypeError("no such order");
  stream.setContentType("application/json");
  stream.write('{"ran": ');
  stream.write(JSON.stringify({ event, function: context.functionName }));
  stream.end("}");
});
"""
        },
    ),
}
CASES = [
    *(pytest.param("python", *case, id=f"python: {name}") for name, case in PYTHON.items()),
    *(pytest.param("nodejs", *case, id=f"node: {name}") for name, case in NODE.items()),
]


def own_lines(answer: Answer, code: Path) -> tuple[str, Any, Any, list[str]]:
    """Return what an answer says, with the lines of its stack that are of the function's code."""
    if not answer.error:
        return "", answer.payload, None, []
    stack = answer.payload.get("stackTrace") or answer.payload.get("trace") or []
    return (
        answer.error,
        answer.payload["errorType"],
        answer.payload["errorMessage"],
        [e for e in stack if str(code) in e],
    )


@pytest.mark.parametrize(("runtime", "handler", "files"), CASES)
def test_wrapped_function_answers_pings_and_is_untouched(
    runtime: str, handler: str, files: dict[str, str], wrapper: str, code: Any, program: Any
) -> None:
    """Calls, errors and log lines are those of the same function without the layer; a ping runs none of its code."""
    if runtime == "nodejs":
        program("node")
    folder = code(files)
    with Environment(runtime, folder, handler) as plain, Environment(runtime, folder, handler, wrapper=wrapper) as own:
        for event in (ORDER, FAIL, ORDER):
            without, wrapped = plain.invoke(event), own.invoke(event)
            assert own_lines(without_ids(wrapped), folder) == own_lines(without_ids(without), folder)
            if runtime == "python":
                assert without_ids(wrapped) == without_ids(without)
        answer = own.invoke(PING)
        assert answer.error == ""
        assert read_answer(json.dumps(answer.payload).encode()).cold is False
        instance = answer.payload["optimizer_warmup"]["instance"]
        assert own.invoke(PING).payload == {"optimizer_warmup": {"cold": False, "instance": instance}}
    # Lines may arrive after the answer of their call, and have arrived when the process has ended.
    assert "optimizer_warmup" not in own.log
    if runtime == "python":
        assert comparable(own.log) == comparable(plain.log)


def comparable(log: str) -> list[str]:
    """Return the lines of a log without times and ids, which differ, nor warnings that name addresses."""
    plain = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{8}-[0-9a-f-]{27}|0x[0-9a-f]+", "", log)
    return [line for line in plain.splitlines() if "RuntimeWarning" not in line]


@pytest.mark.parametrize(("runtime", "file"), [("python", "app.py"), ("nodejs", "index.js")])
def test_first_ping_of_an_environment_is_cold(runtime: str, file: str, wrapper: str, code: Any, program: Any) -> None:
    program("node")
    folder = code({"app.py": PYTHON_ORDERS, "index.js": COMMONJS})
    with Environment(runtime, folder, f"{file.partition('.')[0]}.handler", wrapper=wrapper) as own:
        assert read_answer(json.dumps(own.invoke(PING).payload).encode()).cold
        assert own.invoke(ORDER).payload["ran"] == ORDER
    # INIT and one call.
    assert len(own.log.splitlines()) == 2


FAILING = {
    "python: raises": ("python", "app.handler", {"app.py": "def load():\n    raise ValueError('no table')\nload()\n"}),
    "python: cannot be parsed": ("python", "app.handler", {"app.py": "def handler(:\n"}),
    "python: misses a module": ("python", "app.handler", {"app.py": "import not_packaged"}),
    "python: is not there": ("python", "app.handler", {"other.py": ""}),
    "python: has no handler": ("python", "app.handler", {"app.py": "def other(): pass"}),
    "python: bad name": ("python", "handler", {"handler.py": ""}),
    "python: builtin": ("python", "sys.exit", {"sys.py": ""}),
    "python: ends": ("python", "app.handler", {"app.py": "import sys\nsys.exit(3)"}),
    "node: throws": ("nodejs", "index.handler", {"index.js": "throw new RangeError('no table')"}),
    "node: throws no error": ("nodejs", "index.handler", {"index.mjs": "throw 'text'"}),
    "node: cannot be parsed": ("nodejs", "index.handler", {"index.js": "exports.handler = async ( => 1"}),
    "node: misses a module": ("nodejs", "index.handler", {"index.js": "require('not-packaged')"}),
    "node: imports nothing": ("nodejs", "index.handler", {"index.mjs": "import 'not-packaged'"}),
    "node: is not there": ("nodejs", "index.handler", {"other.js": ""}),
    "node: has no handler": ("nodejs", "index.handler", {"index.js": "exports.other = 1"}),
    "node: rejects": ("nodejs", "index.handler", {"index.mjs": "await Promise.reject(new RangeError('no table'))"}),
}


@pytest.mark.parametrize(("runtime", "handler", "files"), FAILING.values(), ids=FAILING)
def test_errors_of_init_stay_what_they_are(
    runtime: str, handler: str, files: dict[str, str], wrapper: str, code: Any, program: Any
) -> None:
    """Type, message and stack as they are reported to Lambda, and for Python the log lines, too."""
    if runtime == "nodejs":
        program("node")
    folder = code(files)

    def reported(wrapper: str) -> tuple[Any, str]:
        with Environment(runtime, folder, handler, wrapper=wrapper) as environment:
            try:
                answer = environment.invoke(ORDER)
            except NoAnswer:
                # It ended without a report, as it should.
                return None, environment.ended()
            assert answer.error == "init"
            said = answer.payload if runtime == "python" else own_lines(answer, folder)
            return said, environment.ended()

    (without, plain_log), (wrapped, own_log) = reported(""), reported(wrapper)
    assert wrapped == without
    if runtime == "python":
        assert comparable(own_log) == comparable(plain_log)


def test_handler_that_is_no_function_fails_as_before(wrapper: str, code: Any) -> None:
    folder = code({"app.py": "handler = 5"})
    with (
        Environment("python", folder, "app.handler") as plain,
        Environment("python", folder, "app.handler", wrapper=wrapper) as own,
    ):
        for event in (ORDER, PING):
            assert without_ids(own.invoke(event)) == without_ids(plain.invoke(event))


def test_unknown_command_line_is_run_as_it_is(wrapper: str, code: Any) -> None:
    """The wrapper becomes any other runtime, and any form of Python's command line that it does not know."""
    folder = code({"app.py": PYTHON_ORDERS})
    for command in (["/bin/echo", "a b", "c"], [sys.executable, "-c", "print('a b', 'c')"]):
        done = subprocess.run([wrapper, *command], cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603
        assert done.stdout == "a b c\n"


@pytest.mark.parametrize(("runtime", "handler"), [("python", "app.handler"), ("nodejs", "index.handler")])
def test_layer_delays_calls_by_less_than_a_millisecond(
    runtime: str, handler: str, wrapper: str, code: Any, program: Any
) -> None:
    """The median of calls that take turns with those of the same function without the layer, in the best of pairs.

    A busy machine may slow one of two processes down for its whole life; bench/wrapper.py prints the figures.
    """
    program("node")
    folder = code(
        {
            "app.py": "def handler(event, context):\n    return event\n",
            "index.mjs": "export const handler = async (event) => event;\n",
        }
    )

    def delay_ms() -> float:
        with (
            Environment(runtime, folder, handler) as plain,
            Environment(runtime, folder, handler, wrapper=wrapper) as own,
        ):
            taken: tuple[list[float], list[float]] = ([], [])
            for _ in range(150):
                for environment, times in zip((plain, own), taken, strict=True):
                    began = time.perf_counter()
                    environment.invoke(ORDER)
                    times.append((time.perf_counter() - began) * 1000)
            return statistics.median(taken[1]) - statistics.median(taken[0])

    assert min(delay_ms() for _ in range(3)) < 1


def test_archive_is_the_same_each_time_and_small(tmp_path: Path) -> None:
    module = build_script()
    made = module.archive()
    assert made == module.archive()
    assert len(made) < 32_768
    (tmp_path / "layer.zip").write_bytes(made)
    with ZipFile(tmp_path / "layer.zip") as archive:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
        module.unpack(tmp_path / "opt")
        for name in modes:
            assert (tmp_path / "opt" / name).read_bytes() == archive.read(name)
    assert [name for name, mode in modes.items() if mode & 0o111] == ["optimizer-warmable"]
    # Nothing of it is on a path where the function's own code looks for modules.
    assert {name.partition("/")[0] for name in modes} == {"optimizer-warmable", "optimizer-warmable-files"}


def test_layer_has_the_documented_node_version() -> None:
    (documented,) = re.findall(r"```js\n(.*?)```", (ROOT / "docs" / "warmups.md").read_text(), re.DOTALL)
    assert (LAYER / "files" / "warmable.mjs").read_text() == documented


@pytest.mark.parametrize("path", [LAYER / "files" / "run.py", LAYER.parent / "optimizer_warmable" / "__init__.py"])
def test_layer_is_written_for_its_oldest_python(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 11))
