"""Run a proxy that slows responses down, cuts them, resets connections or responds with errors.

It speaks the protocol of the server behind it and runs in an environment of its own, below .build.
"""

import json
import shutil
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from local_account.servers import HOST, ServerProcess, free_port

_PROGRAM = Path(__file__).parents[3] / ".build" / "faults" / "bin" / "microburst"


class FaultProxy:
    """A proxy between a client and a server on 127.0.0.1; clients connect to `port`. Without rules it only passes on.

    `protocol` is `redis`, `postgres` or `mysql`. A rule names the `operation` that it applies to (a command, in lower
    case) and the fault: `latency` (`{"min_ms", "max_ms"}`), `timeout` (true: no response), `reset` (true), `error`
    (`{"code", "message"}`), `cut_reply` (`{"after_bytes"}`). The first that fits counts.
    """

    def __init__(self, protocol: str, upstream_port: int) -> None:
        program = find()
        if program is None:
            raise FileNotFoundError("the fault proxy is not installed: make setup")
        self.port, self._control = free_port(), free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="faults-"))
        command = [str(program), "--protocol", protocol, "--upstream", f"{HOST}:{upstream_port}", "--host", HOST]
        command += ["--port", str(self.port), "--control-port", str(self._control)]
        try:
            log = self.folder / "proxy.log"
            self._process = ServerProcess(command, log, environment={"PATH": "/usr/bin:/bin"}, user=None)
            self._process.wait_until(self._answers)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def rules(self, *rules: Mapping[str, Any]) -> None:
        """Replace all rules by these; without any, everything is passed on."""
        self._ask("rules", json.dumps(rules).encode())

    def fired(self) -> int:
        """Return how often a rule applied, among the last thousand times."""
        return len(self._ask("fired?limit=1000"))

    def stop(self) -> None:
        """Stop the proxy."""
        self._process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _ask(self, what: str, body: bytes | None = None) -> Any:
        url = f"http://{HOST}:{self._control}/_microburst/{what}"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def _answers(self) -> bool:
        try:
            self._ask("health")
        except OSError:
            return False
        return True


def find() -> Path | None:
    """Return the path of the proxy, if `make setup` installed it."""
    return _PROGRAM if _PROGRAM.exists() else None
