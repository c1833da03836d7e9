"""The result of a probe of a cache as tables."""

from collections.abc import Sequence

from optimizer.caches.probe import Advice, NamespaceProbe, NodeProbe, ProbeResult, Stopped, Weight
from optimizer.core import harmless
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_STOPPED = {
    Stopped.COMPLETE: "all keys",
    Stopped.ENOUGH_KEYS: "a sample",
    Stopped.OUT_OF_TIME: "a sample, out of time",
    Stopped.SLOWER: "a sample; stopped because it became slower",
}
_COLOUR = {Weight.WRONG: "red", Weight.COSTLY: "yellow", Weight.NOTE: "dim"}


def show(found: ProbeResult, advice: Sequence[Advice], out: Console) -> None:
    """Print servers, namespaces and advice."""
    servers = Table(
        "server", "role", "memory", "policy", "keys", "hits", "read", "ping", title="Servers", title_justify="left"
    )
    for node in found.nodes:
        servers.add_row(*_server(node))
    out.print(servers)
    about = "" if found.is_complete else " (estimates from a sample)"
    names = (
        "namespace",
        "keys",
        "memory",
        "a key",
        "without TTL",
        "TTL",
        "left: 10 %",
        "half",
        "90 %",
        "idle",
        "sliding",
    )
    spaces = Table(*names, title=f"Namespaces{about}", title_justify="left")
    for name, space in found.namespaces.items():
        spaces.add_row(escape(harmless(name)), *_namespace(space))
    out.print(spaces)
    unavailable = sorted({command for node in found.nodes for command in node.refused})
    if unavailable:
        out.print(f"Not read, because the server does not permit or know these commands: {', '.join(unavailable)}.")
    left_out = sum(node.keys_left_out for node in found.nodes)
    if left_out:
        out.print(f"Left out: {left_out:,} keys that have moved to another server or that the user may not read.")
    for why in found.missing:
        out.print(f"Not read: {escape(harmless(why))}.")
    if not advice:
        out.print("No recommendations.")
    for item in advice:
        about, words = escape(harmless(item.about)), escape(harmless(item.message))
        out.print(f"[{_COLOUR[item.weight]}]{item.weight.value}[/] {about}: {words}")


def _server(node: NodeProbe) -> tuple[str, ...]:
    facts = node.facts
    unlimited = "no limit" if facts.says_limit else "limit not known"
    limit = size(facts.max_bytes) if facts.max_bytes else unlimited
    return (
        f"{node.address}\n{facts.engine} {facts.version}",
        facts.role,
        f"{size(facts.used_bytes)} of {limit}",
        facts.policy,
        f"{facts.keys:,}",
        "-" if facts.hit_ratio is None else f"{facts.hit_ratio:.1%}",
        f"{node.keys_seen:,} in {node.took_s:.0f} s\n{_STOPPED[node.stopped]}",
        f"{node.ping_ms:.2f} ms\n{node.ping_after_ms:.2f} ms after",
    )


def _namespace(space: NamespaceProbe) -> tuple[str, ...]:
    left = space.ttl_left_s
    if space.idle_s is not None:
        idle = f"{span(space.idle_s.p50)}"
    elif space.access_counter is not None:
        idle = f"counter {space.access_counter.p50:.0f}"
    else:
        idle = "-"
    return (
        f"{space.keys:,}",
        "-" if space.bytes is None else size(space.bytes),
        "-" if space.entry_bytes is None else size(space.entry_bytes),
        f"{space.without_ttl:.1%}",
        "-" if space.ttl_set_s is None else span(space.ttl_set_s),
        *(("-",) * 3 if left is None else (span(left.p10), span(left.p50), span(left.p90))),
        idle,
        {True: "yes", False: "no", None: "?"}[space.sliding],
    )


def size(count: float) -> str:
    """Return bytes in a unit that fits."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def span(seconds: float) -> str:
    """Return seconds in a unit that fits."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
