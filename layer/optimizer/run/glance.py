"""The result of a glance at many functions: what the lists of an account tell of them at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Glance:
    """Fingerprints of functions by name, and the names of those whose calls met provisioned concurrency lately.

    problem: why there are none, empty where the lists were read.
    """

    fingerprints: Mapping[str, str] = field(default_factory=dict)
    provisioned: Collection[str] = ()
    problem: str = ""
