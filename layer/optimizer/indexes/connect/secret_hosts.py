"""The hosts to which the password in a secret may be sent. Pure.

Whoever may write the policy names the host and the secret. Without this rule they could send any tagged secret to a
server of their own (IAM user guide, "The confused deputy problem"), so a secret should name its hosts. One that names
none is not given to a server that asks for the password itself.
"""

import re
from collections.abc import Mapping
from typing import Any

# Endpoints of one Aurora cluster, whose writer has `cluster-` and whose reader has `cluster-ro-` before the same id.
_CLUSTER = re.compile(r"(?P<name>[^.]+)\.cluster-(?P<rest>(?!ro-|custom-)[^.]+\.[^.]+\.rds\.amazonaws\.com(\.cn)?)")


def secret_hosts(secret: Mapping[str, Any]) -> frozenset[str]:
    """Return the hosts that a secret names in `host` and in the list `hosts`, and the reader of its Aurora cluster.

    An entry that is not text is left out.
    """
    more = secret.get("hosts")
    named = [secret.get("host"), *(more if isinstance(more, list) else ())]
    hosts = {normalize_host(host) for host in named if isinstance(host, str) and host}
    readers = {
        f"{found['name']}.cluster-ro-{found['rest']}" for found in map(_CLUSTER.fullmatch, hosts) if found is not None
    }
    return frozenset(hosts | readers)


def normalize_host(host: str) -> str:
    """Return a host name in the spelling in which two names of the same host are equal."""
    return host.strip().rstrip(".").lower()
