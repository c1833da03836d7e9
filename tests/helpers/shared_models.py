"""Keep what botocore reads again for every emulated account: service models, rules of endpoints, names of events.

Without this, most of what a test with an emulated account computes is the JSON of the same models. Answers stay the
same: nothing writes into a loaded model, and each account still has sessions and clients of its own.
"""

from functools import cache
from typing import Any

import botocore.regions
import botocore.session
from botocore.hooks import EventAliaser


class _Folders(list[str]):
    """The folders of models. Each session of boto3 adds its own folder again, which is searched once."""

    def append(self, folder: str) -> None:
        if folder not in self:
            super().append(folder)


def share_models() -> None:
    """Let all sessions of this process load each model once."""
    session: Any = botocore.session
    regions: Any = botocore.regions
    session.create_loader = cache(_loader_of(session.create_loader))
    regions.EndpointProvider = _once_per_model(regions.EndpointProvider)
    events: Any = EventAliaser
    events.__init__ = _with_known_names(events.__init__)


def _with_known_names(begin: Any) -> Any:
    names: dict[str, str] = {}

    def __init__(aliaser: Any, event_emitter: Any, event_aliases: Any = None) -> None:  # noqa: N807
        begin(aliaser, event_emitter, event_aliases)
        # The aliases are botocore's own in every session and client.
        aliaser._alias_name_cache = names

    return __init__


def _loader_of(create: Any) -> Any:
    def loader(search_path: str | None = None) -> Any:
        made = create(search_path)
        made._search_paths = _Folders(made.search_paths)
        return made

    return loader


def _once_per_model(create: Any) -> Any:
    # The data is kept, too: no other data may get the same identity.
    known: dict[tuple[int, frozenset[str]], tuple[Any, Any]] = {}

    def provider(ruleset_data: Any, partition_data: Any, excluded_params: Any = None) -> Any:
        key = id(ruleset_data), frozenset(excluded_params or ())
        if key not in known:
            known[key] = ruleset_data, create(ruleset_data, partition_data, excluded_params)
        return known[key][1]

    return provider
