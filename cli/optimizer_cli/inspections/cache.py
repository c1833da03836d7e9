"""`optimizer inspect cache`: the content of a Redis or Valkey, read without load that anybody notices."""

import json
import sys
from collections.abc import Callable, Mapping

import click
from optimizer.caches.probe import (
    CacheFailed,
    Endpoint,
    IamLogin,
    Keys,
    ProbeLimits,
    ProbeProgress,
    ProbeResult,
    Stopped,
    UnusableEndpoint,
    advise,
    probe_cache,
)
from optimizer.core import canonical_json

from optimizer_cli.inspections import cache_tables
from optimizer_cli.printing import console, echo

SLOWER = 3


@click.command(epilog="Ends with 1 if the cache cannot be read, with 3 if it became slower, so that reading stopped.")
@click.option(
    "--url",
    required=True,
    envvar="OPTIMIZER_CACHE_URL",
    help="redis://[user:password@]host[:port][/database], rediss:// for TLS. A password is better kept in the variable "
    "OPTIMIZER_CACHE_URL than in a command line.",
)
@click.option(
    "--replica", "replica_url", help="A replica to read from instead. Replicas of a cluster are found automatically."
)
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False), help="Certificates to trust (PEM).")
@click.option("--iam-user", help="Log in to ElastiCache as this user with your AWS credentials.")
@click.option("--iam-cache", help="Name of the replication group or serverless cache, for --iam-user.")
@click.option("--serverless", is_flag=True, help="The --iam-cache is a serverless cache.")
@click.option("--region", help="AWS region, for --iam-user.")
@click.option(
    "--namespace",
    "prefixes",
    multiple=True,
    metavar="NAME=PREFIX",
    help="Prefix of the keys of a namespace; repeatable.",
)
@click.option(
    "--keys",
    type=click.IntRange(1, 1_000_000),
    default=10_000,
    show_default=True,
    help="Largest number of keys to read.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(1),
    default=120,
    show_default=True,
    help="Longest time for reading keys, seconds.",
)
@click.option(
    "--duty",
    type=click.FloatRange(0, 0.1, min_open=True),
    default=ProbeLimits().duty,
    show_default=True,
    help="Largest share of the time in which a server may be busy with this.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    url: str,
    replica_url: str | None,
    ca_file: str | None,
    iam_user: str | None,
    iam_cache: str | None,
    serverless: bool,
    region: str | None,
    prefixes: tuple[str, ...],
    keys: int,
    seconds: float,
    duty: float,
    as_json: bool,
) -> None:
    """Show the namespaces of a cache, their TTLs and memory, and recommended settings.

    Read names, TTLs and sizes of a sample of the keys (SCAN), never a value: slowly, from a replica if there is one,
    and not on when the server takes twice as long to answer. Read-only.
    """
    named = _prefixes(prefixes)
    try:
        login = _login(iam_user, iam_cache, region, serverless)
        endpoint = Endpoint(url, replica_url, login, ca_file)
        found = _probe(endpoint, ProbeLimits(keys=keys, seconds=seconds, duty=duty), named)
    except (CacheFailed, UnusableEndpoint) as error:
        if as_json:
            echo(json.dumps({"error": str(error)}))
        raise click.ClickException(str(error)) from error
    advice = advise(found)
    if as_json:
        echo(
            json.dumps(
                canonical_json.plain(found) | {"complete": found.is_complete, "advice": canonical_json.plain(advice)}
            )
        )
    else:
        cache_tables.show(found, advice, console())
    sys.exit(SLOWER if any(node.stopped == Stopped.SLOWER for node in found.nodes) else 0)


def _probe(endpoint: Endpoint, limits: ProbeLimits, prefixes: Mapping[str, str]) -> ProbeResult:
    out = console(stderr=True)
    if not out.is_terminal:
        return probe_cache(endpoint, limits, prefixes)
    with out.status("connecting") as status:

        def show(at: ProbeProgress) -> None:
            where = f", server {at.node} of {at.of}" if at.of > 1 else ""
            status.update(f"{at.keys_seen:,} keys of at most {at.most_keys:,}{where}")

        return probe_cache(endpoint, limits, prefixes, show)


def _prefixes(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for item in given:
        name, equals, prefix = item.partition("=")
        if not (name and equals and prefix):
            raise click.BadParameter(f"{item!r} is not NAME=PREFIX", param_hint="--namespace")
        found[name] = prefix
    return found


def _login(user: str | None, cache: str | None, region: str | None, serverless: bool) -> IamLogin | None:
    if user is None:
        if cache or serverless:
            raise UnusableEndpoint("--iam-cache and --serverless are for --iam-user")
        return None
    if cache is None:
        raise UnusableEndpoint("--iam-user needs --iam-cache, the name of the cache in the signed token")
    where, keys = _aws(region)
    return IamLogin(user, cache, where, keys, serverless)


def _aws(region: str | None) -> tuple[str, Callable[[], Keys]]:
    # boto3 loads slowly, and only a log-in with IAM needs it.
    import boto3

    session = boto3.Session(region_name=region)
    credentials = session.get_credentials()
    if credentials is None:
        raise UnusableEndpoint("no AWS credentials were found for the log-in with IAM")
    if session.region_name is None:
        raise UnusableEndpoint("--iam-user needs --region, the region of the cache")

    def keys() -> Keys:
        frozen = credentials.get_frozen_credentials()
        return Keys(str(frozen.access_key), str(frozen.secret_key), frozen.token)

    return session.region_name, keys
