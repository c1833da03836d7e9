"""Warnings about entries of a policy that have no effect: they lie in the past, or fit no function."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from optimizer.core import FunctionTarget
from optimizer.policy import Chosen, Policy, contradictions_of


def past_entries(policy: Policy, now: datetime) -> Iterator[str]:
    """Yield a sentence for each event and day that is over; back-tests still use it."""
    for number, event in enumerate(policy.warmups.events):
        until = event.moments(policy.time_zone)[1]
        if until <= now:
            yield f"warmups.events[{number}] ended on {until:%Y-%m-%d at %H:%M %Z}: only back-tests still use it."
    for number, day in enumerate(policy.warmups.days):
        if day.on < now.date():
            yield f"warmups.days[{number}] lies in the past ({day.on}): only back-tests still use it."


def without_functions(policy: Policy, functions: Collection[FunctionTarget]) -> Iterator[str]:
    """Yield a sentence for each entry that fits none of the functions that runs check."""
    for path, entry in chosen_entries(policy).items():
        if not any(entry.fits(one.function_name, one.tags) for one in functions):
            tags = ", ".join(f"{key}={value}" for key, value in sorted(entry.tags.items()))
            chosen = ", ".join(entry.functions) + (f" with {tags}" if tags else "")
            yield f"{path} fits none of the {len(functions)} functions that runs check ({chosen})."


def contradicting(policy: Policy, functions: Collection[FunctionTarget]) -> Iterator[str]:
    """Yield a sentence for each contradiction between entries of overrides that fit one function."""
    found: dict[str, list[str]] = {}
    for one in functions:
        for error in contradictions_of(policy, one.function_name, one.tags):
            found.setdefault(str(error), []).append(one.function_name)
    for said, names in found.items():
        others = f" and {len(names) - 1} others" if len(names) > 1 else ""
        yield f"overrides contradict each other for {names[0]}{others}: {said}"


def chosen_entries(policy: Policy) -> Mapping[str, Chosen]:
    """Return the entries of a policy that are chosen by function, by their paths."""
    said = policy.warmups
    lists: dict[str, Collection[Chosen]] = {
        "overrides": policy.overrides,
        "budgets": policy.budgets,
        "warmups.events": said.events,
        "warmups.days": said.days,
        "warmups.never": said.never,
        "warmups.always": said.always,
    }
    return {f"{name}[{number}]": entry for name, entries in lists.items() for number, entry in enumerate(entries)}
