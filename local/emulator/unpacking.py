"""Unpack code and layers once for all environments that use them.

MiniStack 1.5.33 unpacks them for each environment, and Python then compiles every module anew. Environments only read
them, as on Lambda. Files that may be executed may be executed afterwards, too.
"""

import hashlib
import tempfile
import threading
import types
import zipfile
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime

_lock = threading.Lock()


class Unpacked(zipfile.ZipFile):
    """A zip archive that is unpacked once beside the emulator's other data and linked from each destination."""

    def extractall(self, path: Any = None, *_: Any) -> None:
        """Unpack like `ZipFile.extractall`, with an empty folder for `path`."""
        digest = hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
        kept = Path(tempfile.gettempdir()) / "unpacked" / digest
        with _lock:
            if not kept.is_dir():
                partial = kept.with_suffix(".partial")
                super().extractall(partial)
                for entry in self.infolist():
                    if entry.external_attr >> 16 & 0o111 and not entry.is_dir():
                        (partial / entry.filename).chmod(0o755)
                partial.rename(kept)
        Path(path).rmdir()
        Path(path).symlink_to(kept)


def patch() -> None:
    """Replace how an environment gets its code."""
    known = types.SimpleNamespace(**vars(zipfile))
    known.ZipFile = Unpacked
    lambda_runtime.zipfile = known
