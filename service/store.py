"""The store of versions: lookup tables and predictors in folders (`service.artifacts`), known to the database.

The database, ``<data dir>/archgauge.db`` unless another one is named, learns of a version once its folder is
complete. So a crash leaves at worst a folder that nobody refers to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from lookup_tables import Target
from service._folders import hash_files, publish, sync_and_hash, temporary_folder
from service.artifacts import Artifacts
from service.db import Database, PredictorRecord, TableRecord, TargetRecord, Versions, sqlite_url, upgrade
from service.errors import AliasInUse, DamagedArtifact, UnknownPredictor, UnknownTable, UnknownTarget
from service.promotions import Promotions, Within
from service.references import References, is_reference

if TYPE_CHECKING:
    from lookup_tables import TableVersion

DATABASE_FILE = "archgauge.db"


class SavablePredictor(Protocol):
    """What `predictors.train` returns, as far as the store needs it."""

    @property
    def report(self) -> Mapping[str, Any]: ...

    def save(self, folder: Path) -> None: ...


class Store(Promotions):
    """Versions under a data directory; thread-safe. Several processes may use one at the same time.

    Raises (all methods that take a target or version):
        UnknownTarget, UnknownTable, UnknownPredictor: no such name; ``known`` lists those that there are.
    """

    def __init__(self, database: Database, artifacts: Artifacts) -> None:
        self.root = artifacts.root
        self.database = database
        self.references = References.installed()
        self._artifacts = artifacts

    @classmethod
    def open(cls, data_dir: Path, database_url: str = "", store_url: str = "") -> Self:
        """Open the store, making it and upgrading its database where needed.

        Raises:
            ValueError: one of the URLs cannot be used.
        """
        data_dir.mkdir(parents=True, exist_ok=True)
        artifacts = Artifacts(data_dir / "store", store_url)
        database = Database(database_url or sqlite_url(data_dir / DATABASE_FILE))
        upgrade(database)
        return cls(database, artifacts)

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Targets

    def register_target(self, target: Target, alias: str | None = None) -> TargetRecord:
        """Make a target known, under an alias too if given; an alias of another target moves to this one.

        Raises:
            AliasInUse: the alias is the id of a target.
        """
        record = TargetRecord(target.id, target.to_json(), target.emulated, datetime.now(UTC))
        with self.database.write() as session:
            versions = Versions(session)
            versions.add_target(record)
            if alias is not None:
                if any(other.id == alias for other in versions.targets()):
                    raise AliasInUse(f"{alias!r} is the id of a target; choose another name")
                versions.set_alias(alias, target.id)
        return self.target(target.id)

    def targets(self) -> list[TargetRecord]:
        """All targets, oldest first."""
        with self.database.read() as session:
            return Versions(session).targets()

    def target(self, name: str) -> TargetRecord:
        """A target by its id or alias, or that of a reference."""
        targets = self.targets()
        for target in targets:
            if name == target.id or name in target.aliases:
                return target
        reference = self.references.find(name)
        if reference is not None:
            return reference.target
        known = [name for t in (*targets, *(k.target for k in self.references.all)) for name in (*t.aliases, t.id)]
        raise UnknownTarget(f"no target is called {name!r}", known)

    # Lookup tables

    def register_table(self, table: TableVersion, alias: str | None = None) -> TableRecord:
        """Make a table version known that `lookup_tables.write_table` (with ``self.root``) or an import has written.

        Registering it again changes nothing.
        """
        from lookup_tables import read_manifest

        manifest = read_manifest(table.path)
        self.register_target(manifest.target, alias)
        self._artifacts.share("tables", table.target_id, table.version)
        created_at = datetime.fromtimestamp(manifest.created_at, UTC)
        record = TableRecord(table.target_id, table.version, manifest.to_json(), created_at)
        with self.database.write() as session:
            versions = Versions(session)
            versions.lock(table.target_id)
            if not versions.tables(table.target_id, table.version):
                versions.add_table(record)
        return record

    def tables(self, target: str | None = None) -> list[TableRecord]:
        """Table versions, newest first; of one target (id or alias) or of all."""
        target_id = None if target is None else self.target(target).id
        with self.database.read() as session:
            return Versions(session).tables(target_id)

    def table(self, version: str, target: str | None = None) -> TableRecord:
        """A table version by its name."""
        found = [record for record in self.tables(target) if record.version == version]
        if len(found) == 1:
            return found[0]
        raise UnknownTable(_not_one("lookup table", version, target, found), [t.version for t in self.tables(target)])

    def table_version(self, record: TableRecord) -> TableVersion:
        """Where the table lies, fetched if it was made elsewhere. `lookup_tables.read_table` checks it.

        Raises:
            DamagedArtifact: its files are missing.
            StoreUnavailable: the shared store does not answer.
        """
        from lookup_tables import TableVersion

        folder = self._artifacts.fetch("tables", record.target_id, record.version)
        return TableVersion(record.target_id, record.version, folder)

    # Predictors

    def register_predictor(
        self,
        predictor: SavablePredictor,
        target: str,
        tables: Sequence[str],
        within: Within[PredictorRecord] | None = None,
    ) -> PredictorRecord:
        """Keep a predictor as the next version of a target. It answers once it is promoted.

        Args:
            tables: versions of the lookup tables that it was trained on, all of this target.
            within: if it raises, the predictor was never there.
        """
        target_id = self.target(target).id
        for version in tables:
            self.table(version, target_id)
        home = self.root / "predictors" / target_id
        with temporary_folder(home) as folder:
            predictor.save(folder)
            sha256 = sync_and_hash(folder)
            with self.database.write() as session:
                versions = Versions(session)
                versions.lock(target_id)
                number = 1 + len(versions.predictors(target_id))
                record = PredictorRecord(
                    target_id=target_id,
                    version=f"v{number:04d}-{sha256[:8]}",
                    sha256=sha256,
                    report=_finite(dict(predictor.report)),
                    created_at=datetime.now(UTC),
                    tables=tuple(tables),
                )
                self._artifacts.share("predictors", target_id, record.version, folder)
                publish(folder, home / record.version)
                versions.add_predictor(record)
                if within is not None:
                    within(session, record)
        return record

    def predictors(self, target: str | None = None) -> list[PredictorRecord]:
        """Predictor versions, newest first; of one target (id or alias) or of all."""
        target_id = None if target is None else self.target(target).id
        with self.database.read() as session:
            return Versions(session).predictors(target_id)

    def predictor(self, version: str, target: str | None = None) -> PredictorRecord:
        """A predictor version by its name."""
        if is_reference(version):
            reference = self.references.predictor(version, None if target is None else self.target(target).id)
            found = [] if reference is None else [reference]
        else:
            found = [record for record in self.predictors(target) if record.version == version]
        if len(found) == 1:
            return found[0]
        known = [record.version for record in self.predictors(target)]
        raise UnknownPredictor(_not_one("predictor", version, target, found), known)

    def predictor_folder(self, record: PredictorRecord) -> Path:
        """Where the predictor lies (a folder, or a reference's file), after checking that it is what was registered.

        Raises:
            DamagedArtifact: they are not.
            StoreUnavailable: the shared store does not answer.
        """
        if is_reference(record.version):
            return self.references.predictor_file(record)
        folder = self._artifacts.fetch("predictors", record.target_id, record.version)
        if hash_files(folder) != record.sha256:
            raise DamagedArtifact(f"the files in {folder} are not those that were registered; train or import it again")
        return folder

    # Compiled search spaces

    def compiled_folder(self, space_id: str, record: PredictorRecord) -> Path:
        """Where a search space lies that was compiled for a predictor.

        Raises:
            DamagedArtifact: nobody has compiled it.
            StoreUnavailable: the shared store does not answer.
        """
        name = f"search-spaces/{space_id}", record.target_id, record.version
        folder = self._artifacts.fetch(*name)
        self._artifacts.mark_used(*name)
        return folder

    def keep_compiled(self, space_id: str, record: PredictorRecord, files: Mapping[str, bytes], most: int) -> None:
        """Keep what compiling gave; files that are there already are replaced, they say the same.

        Of all compiled spaces the ``most`` that were used last stay; others are compiled again when they are asked for.
        """
        kind = f"search-spaces/{space_id}"
        place = self._artifacts.folder(kind, record.target_id, record.version)
        with temporary_folder(place.parent) as folder:
            for name, data in files.items():
                (folder / name).write_bytes(data)
            sync_and_hash(folder)
            self._artifacts.share(kind, record.target_id, record.version, folder)
            publish(folder, place)
        self._artifacts.forget_unused("search-spaces/*", most)


def _finite(value: Any) -> Any:
    """JSON data without NaN and infinity, which JSON does not have: null says that there is no number."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _not_one(what: str, version: str, target: str | None, found: Sequence[object]) -> str:
    where = "" if target is None else f" of {target}"
    if found:
        return f"{len(found)} targets have a {what} {version!r}; say which target is meant"
    return f"there is no {what} {version!r}{where}"
