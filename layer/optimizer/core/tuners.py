"""The tuners: what each is called, what it changes, and which of them would disturb each other."""

from enum import StrEnum


class Tuner(StrEnum):
    """A part of the application that proposes changes. The value is its key in the policy."""

    WARMUPS = "warmups"
    MEMORY = "memory"
    PROVISIONED_CONCURRENCY = "provisioned_concurrency"
    INDEXES = "indexes"
    CACHE_TTLS = "cache_ttls"


# The tuners whose targets are functions.
FUNCTION_TUNERS = (Tuner.WARMUPS, Tuner.MEMORY, Tuner.PROVISIONED_CONCURRENCY)
# The tuners that change a function's configuration: their effects on its calls could not be told apart.
CONFIGURATION = frozenset({Tuner.MEMORY, Tuner.PROVISIONED_CONCURRENCY})


def observed_together(tuner: Tuner) -> frozenset[Tuner]:
    """Return the tuners whose changes of a resource would disturb the observation of a change of this one.

    A plan of pings disturbs nothing: the next one replaces it every few hours."""
    if tuner is Tuner.WARMUPS:
        return frozenset()
    return CONFIGURATION if tuner in CONFIGURATION else frozenset({tuner})


def id_prefix(tuner: Tuner) -> str:
    """Return the beginning of the ids of all changes of a tuner."""
    return f"{tuner.value.replace('_', '-')}-"
