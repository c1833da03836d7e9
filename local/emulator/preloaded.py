"""Import the AWS SDK once, and fork an environment of a Python function for each request; forked.py starts it.

    python preloaded.py SOCKET [FOLDER ...]

SOCKET is the number of a descriptor. A request is a JSON document with the descriptors of standard input, output and
error; its response is a process id with a descriptor of the process. The folders lead the search path of the imports.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import socket
import sys
import time
from typing import Any

# Other modules are of the functions' own code, or read variables.
_MODULES = ("botocore.handlers", "boto3", "aws_lambda_powertools.logging", "aws_lambda_powertools.metrics")
_LONGEST_REQUEST = 1 << 17
_LOOK_FOR_ENDED_S = 5.0


def main() -> None:
    """Fork until the emulator ends; in an environment, run its script."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    # The first entry is the folder of this file.
    own = sys.path[1:]
    sys.path[:] = [*sys.argv[2:], *own]
    _import_all()
    sys.path[:] = own
    gc.freeze()
    requests.send(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})).encode())
    request = _forked(requests)
    if request:
        runpy.run_path(request["script"], run_name="__main__")


def _import_all() -> None:
    for name in _MODULES:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    if sdk := sys.modules.get("boto3"):
        # Making a client imports the rest of the SDK, and connects to nothing.
        sdk.session.Session("none", "none", region_name="eu-central-1").client("sts")


def _forked(requests: socket.socket) -> dict[str, Any]:
    """Return the request in an environment forked for it, and nothing once the emulator has ended."""
    while True:
        ready, _, _ = select.select([requests], [], [], _LOOK_FOR_ENDED_S)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not ready:
            continue
        said, descriptors, _, _ = socket.recv_fds(requests, _LONGEST_REQUEST, 3)
        if not said:
            return {}
        pid = os.fork()
        if pid == 0:
            requests.close()
            request: dict[str, Any] = json.loads(said)
            _become(request, descriptors)
            return request
        process = os.pidfd_open(pid)
        socket.send_fds(requests, [str(pid).encode()], [process])
        for descriptor in (process, *descriptors):
            os.close(descriptor)


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Take the place of an interpreter that was started with the script."""
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["variables"])
    time.tzset()
    os.chdir(request["folder"])
    sys.argv[:] = [request["script"]]
    sys.path.insert(0, os.path.dirname(request["script"]))


if __name__ == "__main__":
    main()
