"""Let one thread load a value and the others wait for it."""

import threading
from collections.abc import Callable


class Flight:
    """One load that others may wait for."""

    __slots__ = ("_landed", "owner", "payload")

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.payload: bytes | None = None
        self._landed = threading.Event()

    def land(self, payload: bytes | None) -> None:
        """Hand the encoded value over, None if there is none."""
        if not self._landed.is_set():
            self.payload = payload
            self._landed.set()

    def wait(self, most_s: float) -> bytes | None:
        """Return the encoded value, or None if there is none or it takes longer."""
        return self.payload if self._landed.wait(most_s) else None


class Flights[F: Flight]:
    """The loads of one namespace that are going on in this process."""

    def __init__(self, make: Callable[[int], F], who: Callable[[], int] = threading.get_ident) -> None:
        """`make` makes the flight of an owner, and `who` says which one asks."""
        self._make, self._who = make, who
        self._lock = threading.Lock()
        self._flights: dict[str, F] = {}

    def fresh(self) -> "Flights[F]":
        """Return the same without any flight, for a forked process."""
        return Flights(self._make, self._who)

    def board(self, key: str) -> tuple[F | None, bool]:
        """Return the flight of a key and whether it is the caller's to fly.

        None for a load that reads its own key: waiting for itself it would never end.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = self._make(self._who())
                return flight, True
        return (None, False) if flight.owner == self._who() else (flight, False)

    def is_current(self, key: str, flight: F) -> bool:
        """Return False if the key was written or forgotten since the flight began."""
        return self._flights.get(key) is flight

    def end(self, key: str, flight: F) -> None:
        """End a flight, whether it has landed or not."""
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
        flight.land(None)

    def forget(self, key: str) -> None:
        """Let nobody else board the flight of a key, because its value is about to be out of date."""
        with self._lock:
            self._flights.pop(key, None)

    def forget_all(self) -> None:
        """Let nobody else board any flight."""
        with self._lock:
            self._flights.clear()
