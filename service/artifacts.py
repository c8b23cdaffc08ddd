"""The folders of versions: on this machine, and in a store that several machines share.

::

    <data dir>/store/tables/<target>/<version>/          written by `lookup_tables.write_table`
    <data dir>/store/predictors/<target>/<version>/      written by `service.store.Store`
    <store URL>/…                                        the same, at any URL that fsspec knows

A version's folder appears under its name complete or not at all and is never changed. Where there is a store URL,
what is made here is copied there before the database learns of it, and what was made elsewhere is fetched when it is
first needed; the folders here are then a cache. Whoever uses a folder checks its files against the checksums of the
database.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from service._folders import discard, keep, temporary_folder
from service.errors import DamagedArtifact, StoreUnavailable
from service.logs import log


class Artifacts:
    """Folders below ``root``, with a copy at ``url`` if that is not empty; thread-safe.

    Raises:
        ValueError: fsspec does not know the URL's scheme, or needs a library for it that is not installed.
    """

    def __init__(self, root: Path, url: str = "") -> None:
        self.root = root
        self._remote: Any = None
        if url:
            self._remote, self._base = _open(url)

    def folder(self, kind: str, target_id: str, version: str) -> Path:
        """Where a version lies or will lie on this machine."""
        return self.root / kind / target_id / version

    def share(self, kind: str, target_id: str, version: str, folder: Path | None = None) -> None:
        """Copy a finished version to the store, from its place or from where it still is.

        Raises:
            StoreUnavailable: the store did not take it.
        """
        if self._remote is None:
            return
        source = folder or self.folder(kind, target_id, version)
        try:
            for file in sorted(path for path in source.rglob("*") if path.is_file()):
                place = f"{self._base}/{kind}/{target_id}/{version}/{file.relative_to(source).as_posix()}"
                self._remote.makedirs(place.rpartition("/")[0], exist_ok=True)
                self._remote.put_file(str(file), place)
        except Exception as error:  # each kind of store has its own
            raise StoreUnavailable(f"the store did not take {kind}/{target_id}/{version}: {error}") from error

    def fetch(self, kind: str, target_id: str, version: str) -> Path:
        """The folder of a version on this machine, fetched if it is not here yet. Its contents are not checked.

        Raises:
            DamagedArtifact: it is nowhere.
            StoreUnavailable: the store did not give it.
        """
        place = self.folder(kind, target_id, version)
        if place.is_dir():
            return place
        if self._remote is None:
            raise DamagedArtifact(f"the files of {kind}/{target_id}/{version} are missing from {place}")
        with temporary_folder(place.parent) as folder:
            try:
                self._copy_here(f"{self._base}/{kind}/{target_id}/{version}", folder)
            except DamagedArtifact:
                raise
            except Exception as error:
                raise StoreUnavailable(f"the store did not give {kind}/{target_id}/{version}: {error}") from error
            keep(folder, place)
        return place

    def forget_unused(self, kinds: str, most: int) -> None:
        """Delete all but the ``most`` folders that were used last (`mark_used`) of kinds by a pattern, here and in the
        store.

        Only for what is made again when it is missing. What the store does not delete stays there.
        """
        places = [place for place in self.root.glob(f"{kinds}/*/*") if not place.name.startswith(".")]
        used_at = {place: _used_at(place) for place in places}
        for place in sorted(places, key=lambda place: used_at[place], reverse=True)[most:]:
            if self._remote is not None:
                remote_folder = f"{self._base}/{place.relative_to(self.root).as_posix()}"
                try:
                    self._remote.rm(remote_folder, recursive=True)
                except Exception as error:  # each kind of store has its own
                    log.warning("the store did not delete %s: %s", remote_folder, error)
            discard(place)

    def mark_used(self, kind: str, target_id: str, version: str) -> None:
        """Note that a folder is used now."""
        with suppress(FileNotFoundError):
            os.utime(self.folder(kind, target_id, version))

    def _copy_here(self, remote_folder: str, folder: Path) -> None:
        self._remote.invalidate_cache()
        found = self._remote.find(remote_folder) if self._remote.exists(remote_folder) else []
        if not found:
            raise DamagedArtifact(f"there are no files at {remote_folder} in the store")
        for path in found:
            name = PurePosixPath(str(path).removeprefix(remote_folder).lstrip("/"))
            if ".." in name.parts or name.is_absolute():
                raise DamagedArtifact(f"{path} in the store leads out of its folder")
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            self._remote.get_file(path, str(file))


def _used_at(place: Path) -> float:
    try:
        return place.stat().st_mtime
    except FileNotFoundError:  # somebody else deletes it
        return 0.0


def _open(url: str) -> tuple[Any, str]:
    import fsspec

    try:
        remote, base = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        scheme = url.partition("://")[0]
        raise ValueError(f"ARCHGAUGE_STORE_URL: {scheme}:// cannot be used: {error}") from error
    return remote, str(base).rstrip("/")
