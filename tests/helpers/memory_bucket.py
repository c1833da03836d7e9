"""Keep the application's bucket in memory."""

import json
from typing import Any

from optimizer.core import canonical_json
from optimizer.store.documents import NoSuchDocument


class MemoryBucket(dict[str, Any]):
    """A stand-in for Documents: JSON by key."""

    def read(self, key: str) -> Any:
        if key not in self:
            raise NoSuchDocument(key)
        return json.loads(self[key])

    def write(self, key: str, document: object) -> None:
        self[key] = canonical_json.dumps(document)
