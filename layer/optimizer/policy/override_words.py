"""Names the entries of overrides that hold for a function, in its proposals. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from optimizer.core import Change, NoChange, Tuner
from optimizer.policy.model import Override, Policy
from optimizer.policy.overrides import TAGS, entries_of


def with_overrides_named[P: Change | NoChange](proposal: P, policy: Policy, name: str, tags: Mapping[str, str]) -> P:
    """Return the proposal with the entries that hold for its function, in its reason and its evidence.

    The evidence also holds the function's tags that entries name: whoever checks the proposal later needs them."""
    if not policy.overrides and not policy.budgets:
        return proposal
    said = held(policy, name, tags, proposal.tuner)
    named = {key for entry in (*policy.overrides, *policy.budgets) for key in entry.tags}
    known = {key: value for key, value in tags.items() if key in named}
    evidence = {**proposal.evidence, **({TAGS: known} if known else {}), **({"overrides": said} if said else {})}
    return replace(proposal, evidence=evidence, reason=f"{proposal.reason}{_words(proposal.tuner, said)}")


def held(policy: Policy, name: str, tags: Mapping[str, str], tuner: Tuner) -> dict[str, str]:
    """Return the entry that holds, by setting: `{"goal": "overrides[0] (checkout)"}`."""
    return {
        key: _label(policy.overrides[number], number)
        for key, (number, _) in sorted(entries_of(policy, name, tags, tuner).items())
    }


def _label(entry: Override, number: int) -> str:
    """Return the place of an entry with its name, if it has one."""
    return f"overrides[{number}] ({entry.name})" if entry.name else f"overrides[{number}]"


def _words(tuner: Tuner, said: Mapping[str, str]) -> str:
    """Return ` By overrides[0] (checkout): memory.goal, memory.floor_mb.`; empty without any."""
    by_entry: dict[str, list[str]] = {}
    for key, entry in said.items():
        by_entry.setdefault(entry, []).append(f"{tuner.value}.{key}")
    return "".join(f" By {entry}: {', '.join(keys)}." for entry, keys in by_entry.items())
