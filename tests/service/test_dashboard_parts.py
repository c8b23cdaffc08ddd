"""What pages show, without a browser: budgets, fronts, numbers, commands, spreadsheets, drift."""

from __future__ import annotations

import csv
import io
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lookup_tables import DeviceFingerprint, Measurement, Target, sentinel_history, write_table
from service.errors import InvalidRequest
from service.ui import commands, formats
from service.ui.breakdowns import breakdown
from service.ui.budgets import Budget, worst
from service.ui.comparisons import Model, compare, pareto
from service.ui.results import headline, rows
from service.ui.spreadsheets import kernels_csv, summary_csv
from service.ui.target_reports import families


def kernel(kind: str = "Conv", ms: float | None = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "kind": kind, "nodes": ["a", "b"], "latency_ms": ms, "lower": ms, "upper": ms, "energy_mj": None,
        "source": "table" if ms else "unsupported", "bound": "compute" if ms else None, "flops": 10, **more,
    }  # fmt: skip


def prediction(ms: float = 5.0, lower: float = 4.0, upper: float | None = 6.0, **more: Any) -> dict[str, Any]:
    return {
        "target": "t", "complete": upper is not None, "latency_ms": {"value": ms, "lower": lower, "upper": upper},
        "overhead_ms": 0.5, "throughput_per_s": 1e3 / ms, "energy_mj": None, "peak_memory_bytes": 2_000_000, "flops": 1,
        "parameters": 1, "coverage": {"table": 0.25, "regressor": 0.75, "roofline": 0.0, "unsupported": 0.0},
        "out_of_distribution": False, "provenance": {"predictor": "v0001-00000000"}, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "outcome"), [(6.0, "meets"), (5.9, "likely"), (5.0, "likely"), (4.9, "unlikely"), (3.9, "misses")]
)
def test_a_budget_is_judged_by_the_interval(limit: float, outcome: str) -> None:
    (verdict,) = Budget(ms=limit).verdicts(prediction())
    assert verdict.outcome == outcome


def test_lower_bounds_never_meet_a_budget_for_sure() -> None:
    incomplete = prediction(upper=None)
    assert Budget(ms=100.0).verdicts(incomplete)[0].outcome == "unknown"
    assert Budget(ms=4.9).verdicts(incomplete)[0].outcome == "misses"


def test_what_is_not_known_meets_nothing_and_the_worst_counts() -> None:
    verdicts = Budget(ms=100.0, mj=1.0, mb=2.0).verdicts(prediction())
    assert [v.outcome for v in verdicts] == ["meets", "unknown", "meets"]
    assert worst(verdicts) == "unknown" and worst([]) is None


def test_budgets_come_from_the_address() -> None:
    assert Budget.of({"ms": " 5 ", "mj": "", "other": "x"}) == Budget(ms=5.0)
    assert Budget(ms=5.0, mb=0.25).query == "ms=5&mb=0.25"
    for text in ("x", "-1", "0", "nan", "inf"):
        with pytest.raises(InvalidRequest):
            Budget.of({"ms": text})


def test_the_headline_says_by_how_much() -> None:
    budget = Budget(ms=4.0)
    (row,) = rows({"predictions": [prediction(5.0, 4.5)]}, budget, {"t": ("board",)})
    assert row.label == "board" and 0 <= row.span.lower < row.span.value < row.span.upper <= 100
    assert row.span.limit is not None and row.span.limit < row.span.lower
    assert headline([row], budget) == "It misses the budget. The latency is 25 % over."
    assert headline([row], Budget()) == ""


def test_time_is_broken_down_by_kind_and_limit() -> None:
    kernels = [kernel("a.Conv", 3.0), kernel("Add", 0.5, bound="memory"), kernel("a.Conv", 1.0), kernel("Odd", None)]
    found = breakdown(prediction(kernels=kernels), shown=2)
    assert found is not None
    assert [(g.name, g.kernels, g.latency_ms) for g in found.kinds[:2]] == [("a.Conv", 2, 4.0), ("Add", 1, 0.5)]
    assert sum(g.share for g in found.kinds) + found.overhead_share == pytest.approx(1.0)
    assert [s.position for s in found.slowest] == [1, 3] and found.missing == 1
    assert found.sentences[0].startswith("80 % of the time is in 2 Conv kernels")
    assert breakdown(prediction()) is None


def test_fronts_are_those_that_nothing_dominates() -> None:
    assert pareto([(1, 4), (2, 2), (3, 3), (4, 1), (2, 2)]) == [True, True, False, True, True]
    assert pareto([]) == []


def test_own_numbers_are_better_the_larger_unless_said() -> None:
    answers = [{"name": n, "predictions": [prediction(ms)]} for n, ms in (("slow", 9.0), ("fast", 1.0))]
    models = [Model(a["name"], a, v) for a, v in zip(answers, (80.0, 70.0), strict=True)]
    assert [p.front for p in compare(models, {}, {}).points] == [True, True]
    assert [p.front for p in compare(models, {"less": "1"}, {}).points] == [False, True]
    without = [Model(m.id, m.answer, None) for m in models]
    assert compare(without, {}, {}).y == "memory"  # no energy is known


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (5.126, "5.13"), (0.001234, "0.00123"), (54.21, "54.2"),
     (123456.7, "123,457"), (-2.5, "-2.50")],
)  # fmt: skip
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert formats.digits(value) == text


def test_units_and_ages() -> None:
    assert formats.count(708e6, "FLOPs") == "708 MFLOPs" and formats.count(12) == "12.0"
    assert formats.mb(8_890_976) == "8.89 MB" and formats.signed_percent(-0.011) == "−1.1 %"
    assert (formats.operator("com.microsoft.nchwc.Conv"), formats.domain("com.microsoft.nchwc.Conv")) == (
        "Conv",
        "nchwc",
    )
    assert formats.domain("Conv") == ""
    now = datetime(2026, 1, 3, 12, tzinfo=UTC)
    assert (
        formats.age("2026-01-01T12:00:00Z", now) == "2 days ago"
        and formats.age("2026-01-03T12:00:00Z", now) == "just now"
    )


def test_commands_quote_what_strangers_wrote() -> None:
    evil = "a'; rm -rf ~; '/../$(reboot).onnx"
    request = {"architecture": {"format": "onnx"}, "name": evil, "targets": ["my board"], "dims": {"s": 4}}
    words = shlex.split(commands.curl(request, evil, "http://h").replace("\\\n", ""))
    assert words[:2] == ["curl", "--data-binary"] and len(words) == 4
    assert "target=my+board" in words[3] and "dim=s%3D4" in words[3] and "/" not in words[2]
    code = commands.python(request, evil, "http://h")
    compile(code, "snippet", "exec")
    assert "targets=['my board'], dims={'s': 4}" in code
    graph = commands.curl({"architecture": {"format": "graph"}, "batch_size": 2}, "n", "http://h")
    assert shlex.split(graph.replace("\\\n", ""))[1].startswith("{architecture:") and '"batch_size": 2' in graph


def test_spreadsheets_run_nothing() -> None:
    answer = {"name": "=cmd|'/c calc'!A1", "predictions": [prediction(kernels=[kernel(nodes=["+1+1"])])]}
    line = next(csv.DictReader(io.StringIO(kernels_csv(answer))))
    assert line["nodes"] == "'+1+1" and line["kind"] == "Conv" and line["latency_ms"] == "1.0"
    line = next(csv.DictReader(io.StringIO(summary_csv([answer]))))
    assert line["model"].startswith("'=") and line["upper_ms"] == "6.0" and line["energy_mj"] == ""


def test_errors_by_family_are_sorted() -> None:
    def network(context: str, error: float) -> dict[str, Any]:
        return {"context": context, "predicted_us": 100.0 * (1 + error), "measured_us": 100.0}

    found = families({"networks": [network("vit:1", 0.1), network("vit-whole:2", -0.3), network("mbconv:1", 0.05)]})
    assert [(f.name, f.number) for f in found] == [("vit", 2), ("mbconv", 1)]
    assert found[0].mape == pytest.approx(0.2) and found[0].bias == pytest.approx(-0.1)


def test_the_sentinels_history_is_read_from_a_table(tmp_path: Path) -> None:
    rows = [
        Measurement("whole_model", model="m", latency_us=1.0, started_at=1000.0 + i // 2, sentinel_us=50.0 + i // 2)
        for i in range(20)
    ]
    rows.append(Measurement("whole_model", model="m", latency_us=1.0))
    version = write_table(tmp_path, Target(DeviceFingerprint("CPU")), rows)
    history = sentinel_history(version, points=5)
    assert len(history) == 5 and [r.started_at for r in history] == sorted(r.started_at for r in history)
    assert history[0].time_us == pytest.approx(50.5) and history[-1].time_us == pytest.approx(58.5)
    empty = write_table(tmp_path / "empty", Target(DeviceFingerprint("CPU")), rows[-1:])
    assert sentinel_history(empty) == []
