"""Set the number of examples of a generated test: all of them in the full suite, fewer in the inner loop."""

import os

# Set by `make test-fast`.
FAST = os.environ.get("TEST_FAST") == "true"
_SHARE = 10
_LEAST = 5


def examples(count: int) -> int:
    """Return `count`, or a tenth of it in the inner loop, but at least five."""
    return max(_LEAST, count // _SHARE) if FAST else count
