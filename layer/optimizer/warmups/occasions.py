"""Days and hours of one function of which the policy says more than past traffic does. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from optimizer.policy import Policy


@dataclass(frozen=True, slots=True)
class Occasions:
    """The days and hours of one function of which the policy says something, in the function's time zone."""

    holidays: frozenset[date] = frozenset()
    # Holidays from noon on.
    half_days: frozenset[date] = frozenset()


def occasions_of(policy: Policy, function_name: str, tags: Mapping[str, str]) -> Occasions:
    """Return what the policy says of a function."""
    rest = policy.rest_days(function_name, tags)
    return Occasions(rest.holidays, rest.half_days)
