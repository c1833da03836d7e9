"""Share the code for Redis and Valkey: a server of its own, replicas, clusters, TLS and passwords."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import redis

from local_account.servers import HOST, DidNotStart, ServerProcess, free_port, hand_over, reachable, unprivileged_user
from local_account.servers.certificates import Certificates

# Nothing is kept on disk, so that a replica begins to follow at once.
_SETTINGS = {
    "bind": HOST,
    "save": "",
    "appendonly": "no",
    "repl-diskless-sync": "yes",
    "repl-diskless-sync-delay": "0",
    "loglevel": "warning",
}


class CacheServer:
    """A running server; `settings` are those of its configuration file, and stop() removes its folder."""

    def __init__(
        self,
        program: Path,
        settings: Mapping[str, str] | None = None,
        *,
        port: int | None = None,
        password: str | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self.port = port or free_port()
        self.password, self.certificates = password, certificates
        self.folder = Path(tempfile.mkdtemp(prefix="cache-"))
        self._user = unprivileged_user()
        hand_over(self.folder, self._user)
        self.folder.chmod(0o755)
        told = {**_SETTINGS, "dir": str(self.folder), **self._listening(), **(settings or {})}
        if password is not None:
            told |= {"requirepass": password, "masterauth": password}
        configuration = self.folder / "server.conf"
        configuration.write_text("".join(f'{name} "{value}"\n' for name, value in told.items()))
        try:
            command = [str(reachable(program.parent, self._user, self.folder) / program.name), str(configuration)]
            environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
            self._process = ServerProcess(command, self.folder / "server.log", environment=environment, user=self._user)
            self._process.wait_until(self._answers)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    @property
    def url(self) -> str:
        """Return the URL, with the password if there is one."""
        login = f":{self.password}@" if self.password else ""
        return f"{'rediss' if self.certificates else 'redis'}://{login}{HOST}:{self.port}/0"

    @property
    def pid(self) -> int:
        """Return the id of the server's process."""
        return self._process.pid

    def client(self, **options: Any) -> "redis.Redis":
        """Return a client that waits up to 5 s; the caller closes it."""
        tls = {"ssl_ca_certs": str(self.certificates.authority)} if self.certificates else {}
        return redis.Redis.from_url(self.url, **{"socket_timeout": 5, **tls, **options})

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self._process.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def pause(self) -> None:
        """Let the server hang until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let the server go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _listening(self) -> dict[str, str]:
        if self.certificates is None:
            return {"port": str(self.port)}
        return {
            "port": "0",
            "tls-port": str(self.port),
            "tls-cert-file": str(self.certificates.certificate),
            "tls-key-file": str(self.certificates.key),
            "tls-ca-cert-file": str(self.certificates.authority),
            "tls-auth-clients": "no",
        }

    def _answers(self) -> bool:
        with contextlib.closing(self.client(socket_timeout=2)) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


class CacheCluster:
    """Servers that share the slots evenly, each with the requested number of replicas."""

    def __init__(self, program: Path, primaries: int = 3, replicas: int = 0, password: str | None = None) -> None:
        self._stack = contextlib.ExitStack()
        try:
            self.servers = [self._server(program, password) for _ in range(primaries * (1 + replicas))]
            self._join(primaries)
        except BaseException:
            self._stack.close()
            raise
        self.primaries = self.servers[:primaries]
        self.url = self.servers[0].url

    def stop(self) -> None:
        """Stop all servers."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _server(self, program: Path, password: str | None) -> CacheServer:
        settings = {"cluster-enabled": "yes", "cluster-node-timeout": "2000", "cluster-port": str(free_port())}
        return self._stack.enter_context(CacheServer(program, settings, password=password))

    def _join(self, primaries: int) -> None:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(contextlib.closing(server.client())) for server in self.servers]
            step = 16384 / primaries
            for i, client in enumerate(clients[:primaries]):
                _tell(client, "ADDSLOTSRANGE", round(i * step), round((i + 1) * step) - 1)
                _tell(client, "SET-CONFIG-EPOCH", i + 1)
            ids = [_tell(client, "MYID") for client in clients]
            for client, server in zip(clients[1:], self.servers[1:], strict=True):
                bus: Any = client.config_get("cluster-port")
                _tell(clients[0], "MEET", HOST, server.port, bus["cluster-port"])
            _until(lambda: all(_knows(client, len(clients)) for client in clients), "the nodes do not meet")
            for i, client in enumerate(clients[primaries:]):
                _tell(client, "REPLICATE", ids[i % primaries])
            _until(lambda: all(_is_ready(client, len(clients) - primaries) for client in clients), "no full cluster")


def replica_of(primary: CacheServer, program: Path) -> CacheServer:
    """Yield a server that follows the other and has caught up."""
    replica = CacheServer(program, {"replicaof": f"{HOST} {primary.port}"}, password=primary.password)
    with contextlib.closing(replica.client()) as client:
        _until(lambda: _replication(client).get("master_link_status") == "up", "the replica does not follow")
    return replica


def _tell(client: "redis.Redis", *words: str | int) -> Any:
    # redis-py parses responses to CLUSTER by the command's first word only.
    return client.execute_command("CLUSTER", *words)  # type: ignore[no-untyped-call]


def _replication(client: "redis.Redis") -> Mapping[str, Any]:
    found: Any = client.info("replication")
    return dict(found)


def _knows(client: "redis.Redis", count: int) -> bool:
    known: Any = client.cluster("INFO")
    return int(known["cluster_known_nodes"]) == count


def _is_ready(client: "redis.Redis", replicas: int) -> bool:
    known: Any = client.cluster("INFO")
    nodes: Any = client.cluster("NODES")
    linked = _replication(client).get("master_link_status") != "down"
    return known["cluster_state"] == "ok" and linked and sum("slave" in n["flags"] for n in nodes.values()) == replicas


def _until(ready: Callable[[], bool], complaint: str, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not ready():
        if time.monotonic() > deadline:
            raise DidNotStart(f"{complaint} within {within_s:.0f} s")
        time.sleep(0.05)
