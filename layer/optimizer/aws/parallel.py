"""Waiting for many answers of AWS at once: threads, because boto3 waits and does not compute."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

# As many connections as botocore keeps open to a service by default.
CONNECTIONS = 10


def at_once[Item, Result](act: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`act` on every item, several at a time; the results in order. The first exception ends it and is raised."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return list(pool.map(act, items))
