"""Make random numbers that are the same in every process and every run."""

import hashlib

import numpy as np


def generator(*key: object) -> np.random.Generator:
    """Return a generator seeded by the key's text alone."""
    digest = hashlib.sha256("\0".join(str(part) for part in key).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8]))
