"""Fail calls of functions whose native code is of another architecture, as Lambda does.

MiniStack 1.5.33 runs every function on this machine, so that a package for this machine works as a function of any
architecture. On Lambda its import fails (AWS SAM Developer Guide: layers and packages are built for the architecture of
the function).
"""

import io
import zipfile
from typing import Any

from ministack.services import lambda_svc

_MACHINES = {62: "x86_64", 183: "arm64"}
_HEADER_BYTES = 20


def patch() -> None:
    """Replace how the emulator runs a function."""
    run = lambda_svc._execute_function_warm
    known: dict[str, frozenset[str]] = {}

    def architectures(name: str, package: bytes | None) -> frozenset[str]:
        if not package:
            return frozenset()
        if name not in known:
            known[name] = of_native_code(package)
        return known[name]

    def run_checked(function: dict[str, Any], event: Any, request_id: str) -> Any:
        config = function.get("config") or function
        layers = config.get("Layers") or []
        found = [architectures(config.get("CodeSha256", ""), function.get("code_zip"))]
        # A version of a layer never changes.
        found += [architectures(str(layer), lambda_svc._resolve_layer_zip(layer)) for layer in layers]
        foreign = frozenset().union(*found) - set(config.get("Architectures") or ["x86_64"])
        if not foreign:
            return run(function, event, request_id)
        module = config.get("Handler", "").rpartition(".")[0]
        message = f"Unable to import module '{module}': native code for {', '.join(sorted(foreign))}"
        return {
            "body": {"errorMessage": message, "errorType": "Runtime.ImportModuleError"},
            "error": True,
            "log": f"[ERROR] Runtime.ImportModuleError: {message}",
        }

    lambda_svc._execute_function_warm = run_checked


def of_native_code(package: bytes) -> frozenset[str]:
    """Return the architectures of the shared objects in a zip archive."""
    found = set()
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        for name in archive.namelist():
            if ".so" not in name.rpartition("/")[2]:
                continue
            with archive.open(name) as content:
                header = content.read(_HEADER_BYTES)
            if header.startswith(b"\x7fELF"):
                machine = int.from_bytes(header[18:20], "little")
                found.add(_MACHINES.get(machine, f"machine {machine}"))
    return frozenset(found)
