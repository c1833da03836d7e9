"""Spare moto what it computes for nothing; its answers stay the same.

For every request it puts together the URLs of its service again, and S3 reloads a module for them: that serves accounts
whose addresses change while they run. For every operation of a transaction it copies the whole table, in case that one
fails.
"""

import copy
from collections import defaultdict
from functools import cache
from typing import Any

from moto.core.base_backend import BaseBackend
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table


@cache
def lighten_moto() -> None:
    """Let moto put together the URLs of a service once in this process, and copy an item only when it is updated."""
    backend: Any = BaseBackend
    backend.urls = property(_once_a_class(backend.urls.fget))
    dynamodb: Any = DynamoDBBackend
    dynamodb.update_item = _on_a_copy(dynamodb.update_item)
    table: Any = Table
    table.__deepcopy__ = _with_the_same_items


def _once_a_class(put_together: Any) -> Any:
    known: dict[type[BaseBackend], Any] = {}

    def urls(backend: BaseBackend) -> Any:
        kind = type(backend)
        if kind not in known:
            known[kind] = put_together(backend)
        return known[kind]

    return urls


def _with_the_same_items(table: Any, _memo: Any) -> Any:
    """Copy a table but not its items: puts replace them, and updates work on copies."""
    copied = copy.copy(table)
    copied.items = defaultdict(dict)
    for key, found in table.items.items():
        copied.items[key] = dict(found) if table.has_range_key else found
    return copied


def _on_a_copy(update: Any) -> Any:
    def update_item(backend: DynamoDBBackend, table_name: str, key: Any, *arguments: Any, **more: Any) -> Any:
        table: Any = backend.get_table(table_name)
        by_hash, by_range = backend.get_keys_value(table, key)
        item = table.get_item(by_hash, by_range)
        if item is not None and table.has_range_key:
            table.items[by_hash][by_range] = copy.deepcopy(item)
        elif item is not None:
            table.items[by_hash] = copy.deepcopy(item)
        return update(backend, table_name, key, *arguments, **more)

    return update_item
