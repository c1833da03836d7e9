"""Many calls of AWS at a time, in threads: boto3 waits for the network and computes little."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

# The number of connections that botocore keeps open to a service by default.
CONNECTIONS = 10


def at_once[Item, Result](act: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Call `act` with every item, several at a time, and return the results in order. Raise the first exception."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return list(pool.map(act, items))
