"""Decides which indexes of a table are dropped, the same for every engine. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optimizer.indexes.model.catalog import Index


def choose_dropped(
    indexes: Sequence[Index],
    covering: Mapping[str, Sequence[Index]],
    *,
    is_never_dropped: Callable[[Index], bool],
    worth: Callable[[Index], Any],
) -> set[str]:
    """Return the names of the indexes that another one covers, so that of two that cover each other one stays.

    covering: for each name the indexes that serve everything that this index does.
    is_never_dropped: returns True for an index that is never dropped.
    worth: ranks the indexes; of two that cover each other the greater stays.
    """
    return {
        index.name
        for index in indexes
        if not is_never_dropped(index)
        and any(
            index.name not in {back.name for back in covering[other.name]} or worth(other) > worth(index)
            for other in covering[index.name]
        )
    }
