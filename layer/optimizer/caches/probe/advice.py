"""Advise a team on its cache server, from the result of a probe. Pure: nothing here is applied by itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from optimizer.caches.probe.result import NodeProbe, ProbeResult, ServerFacts

# Redis and Valkey recommend defragmenting above this ratio; with less memory than this it says nothing.
_FRAGMENTED, _ENOUGH_TO_FRAGMENT_BYTES = 1.5, 100_000_000
# AWS calls a hit ratio below this one poor; with fewer reads than this there is nothing to judge.
_POOR_HIT_RATIO, _READS = 0.8, 10_000
# Above this rate of new connections a second, opening them costs more than the requests over them.
_CHURN_PER_S = 10.0
_LAG_BYTES = 10_000_000
_NEARLY_FULL = 0.9
_YOUNG_S = 60


class Weight(StrEnum):
    """The weight of advice: answers are wrong or lost, money or speed is lost, or it is good to know."""

    WRONG = "wrong"
    COSTLY = "costly"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Advice:
    """Advice about a server, namespace or key (`about`).

    `rule` is a stable name. `message` gives the fact, why it matters, and the remedy.
    """

    rule: str
    weight: Weight
    about: str
    message: str


def advise(found: ProbeResult) -> list[Advice]:
    """Return all advice on the result of a probe, the most important first."""
    items = [item for node in found.nodes for rule in _SERVER_RULES for item in rule(node)]
    items += [item for rule in _KEY_RULES for item in rule(found)]
    return sorted(items, key=lambda item: list(Weight).index(item.weight))


def _limit(node: NodeProbe) -> Iterator[Advice]:
    facts = node.facts
    if facts.used_bytes == 0 or not facts.says_limit:
        # A serverless cache reports no memory and has no such settings, nor do some servers with the same protocol.
        return
    if facts.max_bytes == 0:
        yield Advice(
            "no-maxmemory",
            Weight.WRONG,
            node.address,
            f"maxmemory is not set: the server uses {_mb(facts.used_bytes)}. When the machine's memory is full, the "
            "system kills it instead of evicting keys. Set maxmemory.",
        )
        return
    share = facts.used_bytes / facts.max_bytes
    if share >= _NEARLY_FULL:
        weight = Weight.WRONG if facts.policy == "noeviction" else Weight.NOTE
        yield Advice(
            "nearly-full",
            weight,
            node.address,
            f"{share:.0%} of maxmemory ({_mb(facts.max_bytes)}) is used. Shorten TTLs or add memory.",
        )


def _policy(node: NodeProbe) -> Iterator[Advice]:
    facts = node.facts
    if facts.policy == "noeviction":
        yield Advice(
            "noeviction",
            Weight.WRONG,
            node.address,
            "maxmemory-policy is noeviction: a full cache rejects every write. Choose allkeys-lru or allkeys-lfu.",
        )
    elif facts.policy.startswith("volatile") and facts.keys > facts.keys_with_ttl:
        yield Advice(
            "never-evicted",
            Weight.COSTLY,
            node.address,
            f"maxmemory-policy is {facts.policy}, so the {facts.keys - facts.keys_with_ttl:,} keys without a TTL are "
            "never evicted and leave less memory to the others. Give them a TTL or choose an allkeys policy.",
        )


def _evictions(node: NodeProbe) -> Iterator[Advice]:
    facts = node.facts
    if facts.evicted and facts.uptime_s >= _YOUNG_S:
        gone = facts.evicted + facts.expired
        yield Advice(
            "evictions",
            Weight.COSTLY,
            node.address,
            f"{facts.evicted:,} keys were evicted, {facts.evicted / gone:.0%} of all removed keys ({_rate(facts)}): "
            "the TTLs need more memory than the server has. Shorten them or add memory; longer TTLs gain nothing.",
        )


def _hits(node: NodeProbe) -> Iterator[Advice]:
    facts, ratio = node.facts, node.facts.hit_ratio
    if ratio is not None and facts.hits + facts.misses >= _READS and ratio < _POOR_HIT_RATIO:
        yield Advice(
            "hit-ratio",
            Weight.NOTE,
            node.address,
            f"{ratio:.1%} of all reads since the server's start hit. One figure for all namespaces says little: "
            "measure each namespace with the client library before changing TTLs.",
        )


def _connections(node: NodeProbe) -> Iterator[Advice]:
    facts = node.facts
    if facts.rejected_connections:
        yield Advice(
            "rejected-connections",
            Weight.WRONG,
            node.address,
            f"{facts.rejected_connections:,} connections were rejected because maxclients was reached. Raise it "
            "or reuse connections.",
        )
    elif facts.max_clients and facts.clients >= 0.8 * facts.max_clients:
        yield Advice(
            "many-clients",
            Weight.NOTE,
            node.address,
            f"{facts.clients:,} clients are connected; maxclients is {facts.max_clients:,}. Beyond that, "
            "connections are rejected.",
        )
    rate = facts.connections / max(1, facts.uptime_s)
    if facts.uptime_s >= _YOUNG_S and rate >= _CHURN_PER_S:
        yield Advice(
            "connection-churn",
            Weight.COSTLY,
            node.address,
            f"{rate:.0f} connections a second were opened. Create the client outside the handler, so that a warm "
            "function keeps its connection.",
        )


def _replicas(node: NodeProbe) -> Iterator[Advice]:
    facts = node.facts
    if facts.replica_lag_bytes is not None and facts.replica_lag_bytes >= _LAG_BYTES:
        yield Advice(
            "replica-lag",
            Weight.WRONG,
            node.address,
            f"a replica is {_mb(facts.replica_lag_bytes)} behind: reads there return old values.",
        )
    elif facts.role == "replica" and facts.link_up is False:
        yield Advice(
            "replica-alone",
            Weight.WRONG,
            node.address,
            "the replica has lost its primary: reads there return old values.",
        )


def _fragmentation(node: NodeProbe) -> Iterator[Advice]:
    facts = node.facts
    if (
        facts.fragmentation is not None
        and facts.fragmentation >= _FRAGMENTED
        and facts.used_bytes >= _ENOUGH_TO_FRAGMENT_BYTES
    ):
        yield Advice(
            "fragmentation",
            Weight.COSTLY,
            node.address,
            f"the process holds {facts.fragmentation:.1f} times the memory that its data needs. Set activedefrag.",
        )


def _without_ttl(found: ProbeResult) -> Iterator[Advice]:
    total = sum(space.bytes or 0 for space in found.namespaces.values())
    for name, space in found.namespaces.items():
        if space.without_ttl > 0:
            share = f" and {space.without_ttl * space.bytes / total:.0%} of the memory" if space.bytes else ""
            yield Advice(
                "without-ttl",
                Weight.COSTLY,
                name,
                f"about {space.keys * space.without_ttl:,.0f} keys ({space.without_ttl:.1%} of the namespace{share}) "
                "have no TTL: they are served at any age and stay until they are evicted. Give them a TTL.",
            )


def _sliding(found: ProbeResult) -> Iterator[Advice]:
    for name, space in found.namespaces.items():
        if space.sliding:
            yield Advice(
                "sliding-ttl",
                Weight.NOTE,
                name,
                "reads prolong the entries, so the TTL bounds no age and is never tuned. Set the TTL only in writes.",
            )


def _big(found: ProbeResult) -> Iterator[Advice]:
    for key in found.big_keys:
        yield Advice(
            "big-key",
            Weight.COSTLY,
            key.name,
            f"a {key.type or 'value'} of {_mb(key.bytes)}: every client waits while it is read, copied or deleted. "
            "Split it, and delete it with UNLINK.",
        )


_SERVER_RULES: tuple[Callable[[NodeProbe], Iterator[Advice]], ...] = (
    _limit,
    _policy,
    _evictions,
    _hits,
    _connections,
    _replicas,
    _fragmentation,
)
_KEY_RULES: tuple[Callable[[ProbeResult], Iterator[Advice]], ...] = (_without_ttl, _sliding, _big)


def _mb(count: float) -> str:
    return f"{count / 1e6:,.1f} MB"


def _rate(facts: ServerFacts) -> str:
    return f"{facts.evicted / facts.uptime_s:,.1f} a second"
