"""What a team should know about its cache server, from what a probe found. Pure: nothing here is changed by itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from optimizer.caches.probe.result import NodeProbe, ProbeResult, ServerFacts

# Redis and Valkey recommend to defragment from here on; with less memory than this the ratio says nothing.
_FRAGMENTED, _ENOUGH_TO_FRAGMENT_BYTES = 1.5, 100_000_000
# AWS's own rule of thumb for a poor hit ratio, once there were reads enough to speak of one.
_POOR_HIT_RATIO, _READS = 0.8, 10_000
# New connections a second above which opening them costs more than what is asked over them.
_CHURN_PER_S = 10.0
_LAG_BYTES = 10_000_000
_NEARLY_FULL = 0.9
_YOUNG_S = 60


class Weight(StrEnum):
    """How much an advice matters: answers are wrong or lost, money or speed is lost, good to know."""

    WRONG = "wrong"
    COSTLY = "costly"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Advice:
    """rule: a stable name; about: server or namespace; message: what is, why it matters, what to do."""

    rule: str
    weight: Weight
    about: str
    message: str


def advise(found: ProbeResult) -> list[Advice]:
    """What matters most first."""
    all_of_it = [item for node in found.nodes for rule in _SERVER_RULES for item in rule(node)]
    all_of_it += [item for rule in _KEY_RULES for item in rule(found)]
    return sorted(all_of_it, key=lambda item: list(Weight).index(item.weight))


def _limit(node: NodeProbe) -> Iterator[Advice]:
    facts = node.facts
    if facts.used_bytes == 0:
        # A serverless cache tells nothing of its memory, and has no such settings.
        return
    if facts.max_bytes == 0:
        yield Advice(
            "no-maxmemory",
            Weight.WRONG,
            node.address,
            f"maxmemory is not set: at {_mb(facts.used_bytes)} and growing the system kills the server instead of it "
            "evicting keys. Set maxmemory.",
        )
        return
    share = facts.used_bytes / facts.max_bytes
    if share >= _NEARLY_FULL:
        weight = Weight.WRONG if facts.policy == "noeviction" else Weight.NOTE
        yield Advice(
            "nearly-full",
            weight,
            node.address,
            f"{share:.0%} of maxmemory ({_mb(facts.max_bytes)}) are used. Shorten TTLs or give it more memory.",
        )


def _policy(node: NodeProbe) -> Iterator[Advice]:
    facts = node.facts
    if facts.policy == "noeviction":
        yield Advice(
            "noeviction",
            Weight.WRONG,
            node.address,
            "maxmemory-policy is noeviction: a full cache refuses every write. For a cache choose allkeys-lru or "
            "allkeys-lfu.",
        )
    elif facts.policy.startswith("volatile") and facts.keys > facts.keys_with_ttl:
        yield Advice(
            "never-evicted",
            Weight.COSTLY,
            node.address,
            f"maxmemory-policy is {facts.policy}, so the {facts.keys - facts.keys_with_ttl:,} keys without a TTL are "
            "never evicted and crowd the others out. Give them a TTL or choose an allkeys policy.",
        )


def _evictions(node: NodeProbe) -> Iterator[Advice]:
    facts = node.facts
    if facts.evicted and facts.uptime_s >= _YOUNG_S:
        gone = facts.evicted + facts.expired
        yield Advice(
            "evictions",
            Weight.COSTLY,
            node.address,
            f"{facts.evicted:,} keys were evicted, {facts.evicted / gone:.0%} of all that went ({_rate(facts)}): the "
            "TTLs ask for more memory than there is. A longer TTL buys nothing here.",
        )


def _hits(node: NodeProbe) -> Iterator[Advice]:
    facts, ratio = node.facts, node.facts.hit_ratio
    if ratio is not None and facts.hits + facts.misses >= _READS and ratio < _POOR_HIT_RATIO:
        yield Advice(
            "hit-ratio",
            Weight.NOTE,
            node.address,
            f"{ratio:.1%} of all reads since the start were hits. One figure for all namespaces says little: measure "
            "each with the client library before changing TTLs.",
        )


def _connections(node: NodeProbe) -> Iterator[Advice]:
    facts = node.facts
    if facts.rejected_connections:
        yield Advice(
            "rejected-connections",
            Weight.WRONG,
            node.address,
            f"{facts.rejected_connections:,} connections were rejected because maxclients was reached.",
        )
    elif facts.max_clients and facts.clients >= 0.8 * facts.max_clients:
        yield Advice(
            "many-clients",
            Weight.NOTE,
            node.address,
            f"{facts.clients:,} of at most {facts.max_clients:,} clients are connected.",
        )
    rate = facts.connections / max(1, facts.uptime_s)
    if facts.uptime_s >= _YOUNG_S and rate >= _CHURN_PER_S:
        yield Advice(
            "connection-churn",
            Weight.COSTLY,
            node.address,
            f"{rate:.0f} connections a second were opened: make the client outside the handler, so that a warm "
            "function keeps its connection.",
        )


def _replicas(node: NodeProbe) -> Iterator[Advice]:
    facts = node.facts
    if facts.replica_lag_bytes is not None and facts.replica_lag_bytes >= _LAG_BYTES:
        yield Advice(
            "replica-lag",
            Weight.WRONG,
            node.address,
            f"a replica is {_mb(facts.replica_lag_bytes)} behind: what is read there is old.",
        )
    elif facts.role == "replica" and facts.replica_lag_bytes is None:
        yield Advice("replica-alone", Weight.WRONG, node.address, "the replica has lost its primary.")


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
            f"the process holds {facts.fragmentation:.1f} times the memory that its data needs: set activedefrag.",
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
                "have no TTL: they are served however old they are, and stay until they are evicted.",
            )


def _sliding(found: ProbeResult) -> Iterator[Advice]:
    for name, space in found.namespaces.items():
        if space.sliding:
            yield Advice(
                "sliding-ttl",
                Weight.NOTE,
                name,
                "reads prolong the entries, so the TTL bounds no age and is never tuned. Set it when the value is "
                "written.",
            )


def _big(found: ProbeResult) -> Iterator[Advice]:
    for key in found.big_keys:
        yield Advice(
            "big-key",
            Weight.COSTLY,
            key.name,
            f"a {key.type or 'value'} of {_mb(key.bytes)}: while it is read, copied or deleted everyone waits. Split "
            "it, and delete it with UNLINK.",
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
