"""Pack stored values, shorten their TTLs at random, and recompute hot ones before they expire."""

import math
import struct
from typing import NamedTuple

_HEADER = struct.Struct("<2sdf")
_MAGIC = b"o1"
# A draw is at least 2^-53, whose logarithm is above -37, so most hits need neither a draw nor a logarithm.
FAR_FROM_END = 37.0


class ForeignValue(ValueError):
    """The value under the key was not stored by this library."""


class Entry(NamedTuple):
    """A stored value with the Unix time at which it expires and the seconds that it took to compute.

    It is a tuple, because one is made for every hit and a frozen dataclass takes four times as long.
    """

    expires_at: float
    compute_s: float
    payload: bytes

    def pack(self) -> bytes:
        """Return the bytes to store."""
        return _HEADER.pack(_MAGIC, self.expires_at, self.compute_s) + self.payload

    @classmethod
    def unpack(cls, stored: bytes) -> "Entry":
        """Return the entry from its stored bytes. Raises ForeignValue."""
        if len(stored) < _HEADER.size or stored[:2] != _MAGIC:
            raise ForeignValue("the value under this key has another format")
        _, expires_at, compute_s = _HEADER.unpack_from(stored)
        return cls(expires_at, compute_s, stored[_HEADER.size :])


def jittered_ms(ttl_s: float, jitter: float, draw: float) -> int:
    """Return the milliseconds to store a value for: the TTL, shortened by up to the share `jitter`.

    It is never longer, so that the TTL stays the oldest age that is served. `draw` is uniform in [0, 1).
    """
    return max(1, round(ttl_s * (1 - jitter * draw) * 1000))


def recompute_early(left_s: float, compute_s: float, beta: float, draw: float) -> bool:
    """Return True if this reader computes the value again although `left_s` are left.

    XFetch (Vattani, Chierichetti, Lowenstein, VLDB 2015): now - delta * beta * ln(draw) >= expiry, which happens with
    probability exp(-left / (beta * delta)). `draw` is uniform in (0, 1].
    """
    eager_s = compute_s * beta
    return left_s <= FAR_FROM_END * eager_s and left_s <= -eager_s * math.log(draw)
