"""Find out if the versions behind an alias answer pings, before they receive any.

The tag of a function says that its owner wants pings; whether its code answers them is a matter of each version: an
alias may be rolled back, or share its calls with a canary. The configuration tells if the layer answers. Where it does
not, one call asks the version itself, and the answer is remembered for good.
"""

from collections.abc import Callable
from datetime import datetime

from optimizer.aws import LambdaClient
from optimizer.core import Warmup, is_wrapped
from optimizer.store import ReadyVersions, VersionReadiness
from optimizer.warmups.sending.send_pings import FunctionFailed, OwnCodeRan, send_ping

LATEST = "$LATEST"
_PROBE_MS = 0


def why_not_ready(
    lambda_: "LambdaClient",
    pinging: "Callable[[], LambdaClient]",
    known: ReadyVersions,
    function_name: str,
    alias: str,
    now: datetime,
) -> str:
    """Return why no ping may be sent; empty if every version behind the alias answers pings.

    pinging: returns a client that never retries a call. Raise PingFailed if a version could not be asked.
    """
    for version in versions_behind(lambda_, function_name, alias):
        found = known.read(function_name, version)
        if found is None:
            found = _find_out(lambda_, pinging, function_name, alias, version, now)
            known.record(function_name, found)
        if not found.is_ready:
            return found.obstacle
    return ""


def versions_behind(lambda_: "LambdaClient", function_name: str, alias: str) -> list[str]:
    """Return the versions that an alias calls; $LATEST with its code, because it changes."""
    answer = lambda_.get_alias(FunctionName=function_name, Name=alias)
    versions = [answer["FunctionVersion"], *(answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights", {})]
    return [mark_of(lambda_, function_name, version) for version in versions]


def mark_of(lambda_: "LambdaClient", function_name: str, version: str) -> str:
    """Return the name under which a version is remembered."""
    if version != LATEST:
        return version
    return f"{LATEST}.{lambda_.get_function_configuration(FunctionName=function_name)['CodeSha256'][:16]}"


def _find_out(
    lambda_: "LambdaClient",
    pinging: "Callable[[], LambdaClient]",
    function_name: str,
    alias: str,
    version: str,
    now: datetime,
) -> VersionReadiness:
    qualifier = alias if version.startswith(LATEST) else version
    if is_wrapped(lambda_.get_function_configuration(FunctionName=function_name, Qualifier=qualifier)):
        return VersionReadiness(version, is_ready=True, why="its layer answers pings", at=now)
    probe = Warmup(function_name, qualifier, 1, _PROBE_MS, "", "")
    try:
        send_ping(pinging(), probe)
    except (OwnCodeRan, FunctionFailed) as error:
        return VersionReadiness(version, is_ready=False, why=str(error), at=now)
    return VersionReadiness(version, is_ready=True, why="it answered a ping", at=now)


def remember_own_code(
    known: ReadyVersions, lambda_: "LambdaClient", function_name: str, executed: str, why: str, now: datetime
) -> None:
    """Record that a version ran its own code on a ping."""
    version = mark_of(lambda_, function_name, executed)
    known.record(function_name, VersionReadiness(version, is_ready=False, why=why, at=now))
