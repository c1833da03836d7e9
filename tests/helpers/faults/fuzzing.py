"""Share the parts of fuzz tests: values that break things, and the test for errors of ours."""

import copy
import os
from collections.abc import Callable
from typing import Any

from hypothesis import settings, strategies as st

# The examples are the same each time, so that CI fails because of a change and not by chance; more are run by hand.
EXAMPLES = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
)
_NASTY = [
    "",
    " ",
    "..",
    "../x",
    "a/b",
    "\x00",
    "\u202e",
    "0",
    "-1",
    "1e999",
    "nan",
    "x" * 20_000,
    "💥",
    "null",
    "{}",
    "$LATEST",
]
atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.sampled_from(_NASTY),
    st.text(max_size=20),
)
json_values = st.recursive(
    atoms,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, document: Any) -> Any:
    """Generate the document with one to three of its parts replaced, left out or added to."""
    found = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        paths = list(_paths(found))
        path = draw(st.sampled_from(paths))
        if not path:
            found = draw(st.one_of(json_values, st.just(found)))
            continue
        parent = found
        for key in path[:-1]:
            parent = parent[key]
        match draw(st.sampled_from(["replace", "replace", "leave out", "add"])):
            case "replace":
                parent[path[-1]] = draw(json_values)
            case "leave out":
                del parent[path[-1]]
            case "add" if isinstance(parent, dict):
                parent[draw(st.text(max_size=8))] = draw(json_values)
    return found


def failure_of[T](act: Callable[[], T]) -> tuple[Exception | None, T | Any]:
    """Return the error that the call raised, or its result."""
    try:
        return None, act()
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is looked at
        return failure, None


def is_ours(error: BaseException) -> bool:
    """Return whether it is an error class of ours with a message of one line."""
    ours = type(error).__module__.split(".")[0] in ("optimizer", "optimizer_cli", "local_account")
    return ours and bool(str(error)) and "\n" not in str(error)


def _paths(document: Any, path: tuple[Any, ...] = ()) -> Any:
    yield path
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        yield from _paths(value, (*path, key))
