"""Tables as single files, to carry from one machine to another.

An archive is a ZIP file with exactly the two files of a version. What comes in is checked before it is kept: names,
sizes while unpacking (a small file can unpack to a huge one), checksums, schema and the target's own fingerprint. The
place it goes to follows from its manifest's contents, never from a name in the archive.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from lookup_tables.errors import UnsafeArchive
from lookup_tables.manifest import DATA_FILE, MANIFEST_FILE
from lookup_tables.tables import TableVersion, publish, read_manifest, read_table

#: Largest sizes that are unpacked, in bytes.
LIMITS = {MANIFEST_FILE: 16 * 2**20, DATA_FILE: 4 * 2**30}

_CHUNK = 2**20


def export_table(path: Path | TableVersion, file: Path) -> Path:
    """Write a version, checked first, as one archive. ``file`` is replaced only when the archive is complete."""
    table = read_table(path)
    handle, name = tempfile.mkstemp(prefix=".export-", dir=file.resolve().parent)
    os.close(handle)
    try:
        with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member in (MANIFEST_FILE, DATA_FILE):
                archive.write(table.where.path / member, member)
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
    return file


def import_table(root: Path, file: Path) -> TableVersion:
    """Unpack an archive under ``root`` and check it. A version that is there already is kept and returned.

    Raises:
        UnsafeArchive: not such an archive, other files in it, or too large.
        CorruptTable: its files disagree with its manifest.
        NewerSchema: written by a later version of ArchGauge.
    """
    home = root / "tables"
    home.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".import-", dir=home))
    try:
        _unpack(file, folder)
        read_table(folder)
        manifest = read_manifest(folder)
        place = home / manifest.target.id / manifest.version
        place.parent.mkdir(exist_ok=True)
        return publish(folder, place)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _unpack(file: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            names = [info.filename for info in archive.infolist()]
            if sorted(names) != sorted(LIMITS):
                raise UnsafeArchive(f"{file} should hold exactly {' and '.join(sorted(LIMITS))}; it holds {names[:8]}")
            for name, limit in LIMITS.items():
                _copy(archive, name, folder / name, limit)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UnsafeArchive(f"{file} is not an archive of a lookup table: {error}") from error


def _copy(archive: zipfile.ZipFile, name: str, place: Path, limit: int) -> None:
    """Unpack one member, counting what really comes out: the size in the archive's directory may lie."""
    left = limit
    with archive.open(name) as source, place.open("wb") as sink:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise UnsafeArchive(f"{name} unpacks to more than {limit} bytes")
            sink.write(chunk)
