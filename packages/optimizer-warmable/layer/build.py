"""Write the layer's archive: `python packages/optimizer-warmable/layer/build.py`.

The same sources give the same bytes on each machine: files are stored in a fixed order, without times, uncompressed.
"""

import hashlib
import io
from pathlib import Path
from zipfile import ZipFile, ZipInfo

HERE = Path(__file__).resolve().parent
ARCHIVE = HERE / "optimizer-warmable.zip"
_FOLDER = "optimizer-warmable-files"
_SOURCES = {
    "optimizer-warmable": HERE / "optimizer-warmable",
    f"{_FOLDER}/LICENSE": HERE.parent / "LICENSE",
    f"{_FOLDER}/index.mjs": HERE / "files" / "index.mjs",
    # The decorator, under the name whose frames the runtime leaves out of stacks of errors.
    f"{_FOLDER}/python/bootstrap.py": HERE.parent / "optimizer_warmable" / "__init__.py",
    f"{_FOLDER}/run.py": HERE / "files" / "run.py",
    f"{_FOLDER}/warmable.mjs": HERE / "files" / "warmable.mjs",
}
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


def archive() -> bytes:
    """Return the layer as a zip archive."""
    content = io.BytesIO()
    with ZipFile(content, "w") as written:
        for name, source in sorted(_SOURCES.items()):
            entry = ZipInfo(name, _FIRST_DAY)
            entry.create_system = _UNIX
            entry.external_attr = (0o100755 if name == "optimizer-warmable" else 0o100644) << 16
            written.writestr(entry, source.read_bytes())
    return content.getvalue()


def unpack(folder: Path) -> Path:
    """Write the layer's files below a folder, as Lambda does below /opt; return the path of the wrapper script."""
    for name, source in _SOURCES.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    script = folder / "optimizer-warmable"
    script.chmod(0o755)
    return script


if __name__ == "__main__":
    made = archive()
    ARCHIVE.write_bytes(made)
    print(f"{ARCHIVE.name}: {len(made)} bytes, SHA-256 {hashlib.sha256(made).hexdigest()}")
