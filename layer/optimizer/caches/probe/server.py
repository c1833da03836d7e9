"""Connect to a cache: with a password or IAM, with TLS or without, to one server or all shards of a cluster."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.retry import Retry

from optimizer.caches.probe.errors import CacheFailed, CacheUnreachable, LoginRefused, NotReady, UnusableEndpoint
from optimizer.caches.probe.login import Keys, sign_token

_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}


@dataclass(frozen=True, slots=True)
class IamLogin:
    """An ElastiCache user that logs in with IAM; `keys` is called for each connection."""

    user: str
    cache_name: str
    region: str
    keys: Callable[[], Keys] = field(repr=False)
    serverless: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a cache: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS.

    `replica_url` names a replica to read from instead. `login` is for IAM and needs TLS. `ca_file` holds certificates
    to trust instead of the system's.
    """

    url: str
    replica_url: str | None = None
    login: IamLogin | None = None
    ca_file: str | None = None
    timeout_s: float = 2.0

    def __post_init__(self) -> None:
        for url in (self.url, self.replica_url):
            if url is not None and not _scheme(url):
                raise UnusableEndpoint("an address must begin with redis:// or rediss:// (or valkey://, valkeys://)")
            if url is not None and self.login and _scheme(url) != "rediss":
                raise UnusableEndpoint(
                    "a log-in with IAM needs rediss://, because ElastiCache accepts it over TLS only"
                )


def _scheme(url: str) -> str:
    """Return redis or rediss, empty for another scheme. Schemes know no case (RFC 3986, 3.1)."""
    name = url.partition("://")[0].lower()
    return _SCHEMES.get(name, "") if "://" in url else ""


def _plain(url: str) -> str:
    """Return the address as redis-py reads it."""
    return f"{_scheme(url)}://{url.partition('://')[2]}"


class _IamCredentials(CredentialProvider):
    def __init__(self, login: IamLogin) -> None:
        self._login = login

    def get_credentials(self) -> tuple[str, str]:
        login = self._login
        now = datetime.now(UTC)
        return login.user, sign_token(
            login.cache_name, login.user, login.region, login.keys(), now, serverless=login.serverless
        )


@dataclass(frozen=True, slots=True)
class Node:
    """A connection to one server; `address` is host and port, without any password."""

    address: str
    client: "redis.Redis" = field(repr=False)


def connect_nodes(endpoint: Endpoint, missing: list[str] | None = None) -> list[Node]:
    """Connect to the servers to read: the named replica, else the server itself, and in a cluster one for each shard.

    A shard is read on a replica if it has one. The caller closes the clients. A shard that does not answer is
    added to `missing`, if that is given and another one answers. Raises CacheFailed and UnusableEndpoint.
    """
    settings = _settings(endpoint)
    first = _connect(endpoint.replica_url or endpoint.url, settings)
    try:
        info = cast(Mapping[str, Any], ask(first, lambda: first.client.info("cluster")))
        if not info.get("cluster_enabled"):
            return [first]
        slots = cast(list[Any], ask(first, lambda: first.client.cluster("SLOTS")))
    except BaseException:
        first.client.close()
        raise
    host, _, port = first.address.rpartition(":")
    shards: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for _, _, *members in slots:
        # An empty name stands for the address that was asked.
        primary, *replicas = [(bytes(at[0] or b"").decode() or host, int(at[1]) or int(port)) for at in members]
        shards[primary] = [*replicas, primary]
    first.client.close()
    if not shards:
        raise NotReady(f"{first.address} is not ready: its cluster has no slots")
    return _connect_shards(shards.values(), endpoint, settings, missing)


def _connect_shards(
    shards: Iterable[list[tuple[str, int]]], endpoint: Endpoint, settings: Mapping[str, Any], missing: list[str] | None
) -> list[Node]:
    found: list[Node] = []
    try:
        for members in shards:
            try:
                found.append(_first_that_answers(members, endpoint, settings))
            except CacheFailed as error:
                if missing is None:
                    raise
                missing.append(str(error))
        if not found:
            raise CacheUnreachable(f"no shard of the cluster can be read: {'; '.join(missing or ())}")
    except BaseException:
        for node in found:
            node.client.close()
        raise
    return found


def ask[T](node: Node, command: Callable[[], T]) -> T:
    """Return the answer to a command. Raises CacheFailed, by cause, instead of the client's errors."""
    try:
        return command()
    except (redis.AuthenticationError, redis.exceptions.AuthorizationError) as error:
        raise LoginRefused(f"{node.address} refuses the log-in: {error}") from error
    except (redis.BusyLoadingError, redis.exceptions.MasterDownError, redis.exceptions.ClusterDownError) as error:
        raise NotReady(f"{node.address} is not ready: {error}") from error
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        raise CacheUnreachable(f"{node.address} cannot be reached: {error}") from error
    except redis.exceptions.NoPermissionError as error:
        raise LoginRefused(f"{node.address} does not permit the user a command that a probe needs: {error}") from error
    except redis.ResponseError as error:
        if str(error).startswith(("NOAUTH", "WRONGPASS")):
            raise LoginRefused(f"{node.address} refuses the log-in: {error}") from error
        raise NotReady(f"{node.address} answers with an error: {error}") from error
    except redis.RedisError as error:
        raise CacheUnreachable(f"{node.address} does not speak this protocol: {error}") from error


def _settings(endpoint: Endpoint) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "socket_timeout": endpoint.timeout_s,
        "socket_connect_timeout": endpoint.timeout_s,
        # A probe that fails is over: retries would be load that nobody sees.
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "driver_info": None,
    }
    if endpoint.login is not None:
        settings["credential_provider"] = _IamCredentials(endpoint.login)
    if endpoint.ca_file is not None:
        settings["ssl_ca_certs"] = endpoint.ca_file
    return settings


def _connect(url: str, settings: Mapping[str, Any]) -> Node:
    tls = _scheme(url) == "rediss"
    kept = {name: value for name, value in settings.items() if tls or not name.startswith("ssl_")}
    try:
        client = redis.Redis.from_url(_plain(url), **kept)
    except ValueError:
        # The client's message repeats what it could not read, which may be a password.
        raise UnusableEndpoint(
            "the address cannot be read: percent-encode a user name and a password (/ is %2F, # is %23, ? is %3F), and "
            "check port, database and options"
        ) from None
    where = client.connection_pool.connection_kwargs
    return Node(f"{where.get('host', 'localhost')}:{where.get('port', 6379)}", client)


def _first_that_answers(members: list[tuple[str, int]], endpoint: Endpoint, settings: Mapping[str, Any]) -> Node:
    """Connect to the first server that answers; the primary comes last."""
    given = redis.Redis.from_url(_plain(endpoint.url)).connection_pool.connection_kwargs
    for host, port in members:
        options = {**settings, "username": given.get("username"), "password": given.get("password")}
        if endpoint.login is not None:
            del options["username"], options["password"]
        tls = _scheme(endpoint.url) == "rediss"
        kept = {name: value for name, value in options.items() if tls or not name.startswith("ssl_")}
        node = Node(f"{host}:{port}", redis.Redis(host=host, port=port, ssl=tls, **kept))
        try:
            ask(node, node.client.ping)
            if (host, port) != members[-1]:
                # A replica of a cluster answers about keys only after READONLY, which accepts old answers.
                ask(node, partial(node.client.execute_command, "READONLY"))
        except CacheFailed:
            node.client.close()
            if (host, port) == members[-1]:
                raise
            continue
        return node
    raise AssertionError("a shard has at least its primary")
