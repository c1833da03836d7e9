"""Code and layers are unpacked once for all environments that have them; MiniStack 1.5.33 unpacks them for each, and
Python then compiles every module anew. Environments only read them, as Lambda's do.
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
    """Unpacks beside the emulator's other data, and puts a link where it is told to."""

    def extractall(self, path: Any = None, *_: Any) -> None:
        """Extract all files into `path`, an empty folder."""
        digest = hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
        kept = Path(tempfile.gettempdir()) / "unpacked" / digest
        with _lock:
            if not kept.is_dir():
                partial = kept.with_suffix(".partial")
                super().extractall(partial)
                partial.rename(kept)
        Path(path).rmdir()
        Path(path).symlink_to(kept)


def put_right() -> None:
    """Replace how an environment gets its code."""
    known = types.SimpleNamespace(**vars(zipfile))
    known.ZipFile = Unpacked
    lambda_runtime.zipfile = known
