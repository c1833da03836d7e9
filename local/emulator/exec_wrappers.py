"""Start runtimes through AWS_LAMBDA_EXEC_WRAPPER, which MiniStack 1.5.33 does not know.

"When you specify AWS_LAMBDA_EXEC_WRAPPER, Lambda starts the runtime with this script": it gets the command line of the
runtime as its arguments and becomes it (Lambda Developer Guide: modifying the runtime environment). The runtime then
calls the handler that `_HANDLER` names, which a wrapper may have changed. A script that does not exist, or may not be
executed, ends the environment with status 127 or 126. Custom runtimes have no wrapper scripts.

Layers are unpacked in folders of their own here: a path below /opt is looked for in each, the last layer first.
"""

import os
import subprocess
import threading
import types
from pathlib import Path
from typing import Any

import forked
from ministack.core import lambda_runtime

VARIABLE = "AWS_LAMBDA_EXEC_WRAPPER"
_OPT = "/opt/"
# The emulator's own runtime for Node.js is told its handler; one of Lambda reads it when it starts.
_TOLD = "const { code_dir, module: modPath, handler: handlerName, env } = msg;"
_READ = """
const { code_dir, env } = msg;
const named = process.env._HANDLER;
const modPath = named.slice(0, named.lastIndexOf(".")), handlerName = named.slice(named.lastIndexOf(".") + 1);
"""


class UnknownRuntime(RuntimeError):
    """The emulator's runtime for Node.js has another form than this module corrects."""


class ExitError(RuntimeError):
    """The environment ended before it could be called."""


# The type of an error is the name of its class.
ExitError.__name__ = "Runtime.ExitError"


def patch() -> None:
    """Replace how an environment is started."""
    script = lambda_runtime._NODEJS_WORKER_SCRIPT
    if script.count(_TOLD) != 1:
        raise UnknownRuntime(_TOLD)
    lambda_runtime._NODEJS_WORKER_SCRIPT = script.replace(_TOLD, _READ)
    starting = threading.local()
    spawn = lambda_runtime.Worker._spawn

    def spawn_named(self: Any) -> None:
        starting.handler = self.config.get("Handler", "index.handler")
        try:
            spawn(self)
        finally:
            starting.handler = ""

    def start(command: list[str], *, env: dict[str, str], **options: Any) -> Any:
        # Custom runtimes are started elsewhere.
        if handler := getattr(starting, "handler", ""):
            env = {**env, "_HANDLER": handler}
            if wrapper := env.get(VARIABLE):
                layers = env.get("_LAMBDA_LAYERS_DIRS", "").split(os.pathsep)
                command = [usable(in_layers(wrapper, layers)), *command]
        return forked.start(command, env=env, **options)

    lambda_runtime.Worker._spawn = spawn_named
    lambda_runtime.subprocess = types.SimpleNamespace(**{**vars(subprocess), "Popen": start})


def usable(script: str) -> str:
    """Return a script that can be executed; raise ExitError as the environment ends with any other."""
    if not Path(script).is_file():
        raise ExitError("Error: Runtime exited with error: exit status 127")
    if not os.access(script, os.X_OK):
        raise ExitError("Error: Runtime exited with error: exit status 126")
    return script


def in_layers(path: str, layers: list[str]) -> str:
    """Return where a file below /opt is unpacked; the path itself if no layer has it."""
    if path.startswith(_OPT):
        for layer in reversed(layers):
            found = Path(layer) / path.removeprefix(_OPT)
            if layer and found.exists():
                return str(found)
    return path
