"""Start runtimes through AWS_LAMBDA_EXEC_WRAPPER, which MiniStack 1.5.33 does not know.

"When you specify AWS_LAMBDA_EXEC_WRAPPER, Lambda starts the runtime with this script": it gets the command line of the
runtime as its arguments and becomes it (Lambda Developer Guide: modifying the runtime environment). The runtime then
calls the handler that `_HANDLER` names, which a wrapper may have changed. A script that is not there, or may not be
executed, ends the environment with status 127 or 126. Custom runtimes have no wrapper scripts.

Layers are unpacked in folders of their own here: a path below /opt is looked for in each, the last layer first.
"""

import os
import subprocess
import threading
import types
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime

VARIABLE = "AWS_LAMBDA_EXEC_WRAPPER"
_OPT = "/opt/"
# As the runtimes of Lambda do before they start the script.
_START = """
[ -f "$0" ] || { echo "$0: does not exist" >&2; exit 127; }
[ -x "$0" ] || { echo "$0: is not an executable" >&2; exit 126; }
exec "$0" "$@"
"""
# The emulator's own runtime for Node.js is told its handler; one of Lambda reads it when it starts.
_TOLD = "const { code_dir, module: modPath, handler: handlerName, env } = msg;"
_READ = """
const { code_dir, env } = msg;
const named = process.env._HANDLER;
const modPath = named.slice(0, named.lastIndexOf(".")), handlerName = named.slice(named.lastIndexOf(".") + 1);
"""


class UnknownRuntime(RuntimeError):
    """The emulator's runtime for Node.js has another form than this module corrects."""


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
        spawn(self)

    def start(command: list[str], *, env: dict[str, str], **options: Any) -> Any:
        # Two attributes of a function's environment that Lambda sets before its wrapper runs.
        env = {**env, "_HANDLER": starting.handler}
        wrapper = env.get(VARIABLE)
        if wrapper:
            layers = env.get("_LAMBDA_LAYERS_DIRS", "").split(os.pathsep)
            command = ["/bin/sh", "-c", _START, in_layers(wrapper, layers), *command]
        return subprocess.Popen(command, env=env, **options)

    lambda_runtime.Worker._spawn = spawn_named
    lambda_runtime.subprocess = types.SimpleNamespace(**{**vars(subprocess), "Popen": start})


def in_layers(path: str, layers: list[str]) -> str:
    """Return where a file below /opt is unpacked; the path itself if no layer has it."""
    if path.startswith(_OPT):
        for layer in reversed(layers):
            found = Path(layer) / path.removeprefix(_OPT)
            if layer and found.exists():
                return str(found)
    return path
