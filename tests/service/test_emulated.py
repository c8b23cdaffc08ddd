"""What was timed under an emulator is kept and shown, and never answers anybody."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from lookup_tables import Table, read_table, write_table
from service import examples
from service.server import in_background
from service.settings import Settings
from service.store import Store
from service.training import decide


def test_emulated_times_never_answer(
    tmp_path: Path, table: Table, trained: Any, check_problem: Callable[..., dict[str, Any]]
) -> None:
    target = replace(table.target, emulated=True)
    with Store.open(tmp_path) as store:
        written = write_table(store.root, target, table.measurements)
        store.register_table(written, alias="emulated board")
        made = store.register_predictor(trained, target.id, [written.version])
        promote, why = decide(store, made, read_table(written))
        assert not promote and "emulator" in why
        assert store.tables()[0].manifest["emulated"] is True
    with in_background(Settings(data_dir=tmp_path)) as base:
        check_problem(httpx.post(f"{base}/v1/predictors/{made.version}/promote"), 409, "not-promotable")
        asked = {**examples.REQUESTS["graph"]["value"], "targets": [target.id]}
        check_problem(httpx.post(f"{base}/v1/predictions", json=asked), 409, "no-predictor")
        shown = httpx.get(f"{base}/v1/targets/{target.id}").json()
        assert shown["emulated"] is True and "emulated" in shown["id"]
