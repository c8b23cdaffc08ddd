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
from service.ui.memory import course
from service.ui.results import headline, rows
from service.ui.rooflines import bounds, roofline, roofs
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
    both = rows({"predictions": [prediction(5.0, 4.5), prediction(1.0, 0.9, 1.1)]}, budget, {})
    assert headline(both, budget) == "It meets the budget on 1 of 2 targets."
    assert headline(both[:1] * 2, budget) == "It meets the budget on none of 2 targets."
    near = rows({"predictions": [prediction(5.0, 4.5), prediction(3.9, 3.8, 4.1)]}, budget, {})
    assert headline(near, budget) == "It surely or probably meets the budget on 1 of 2 targets."


def test_time_is_broken_down_by_kind_and_limit() -> None:
    kernels = [kernel("a.Conv", 3.0), kernel("Add", 0.5, bound="memory"), kernel("a.Conv", 1.0), kernel("Odd", None)]
    found = breakdown(prediction(kernels=kernels))
    assert found is not None
    assert [(g.name, g.kernels, g.latency_ms) for g in found.kinds[:2]] == [("a.Conv", 2, 4.0), ("Add", 1, 0.5)]
    assert sum(g.share for g in found.kinds) + found.overhead_share == pytest.approx(1.0)
    assert [s.position for s in found.slowest] == [1, 3, 2, 4] and found.missing == 1
    assert found.sentences[0].startswith("80 % of the time is in 2 Conv (a) kernels")
    assert breakdown(prediction()) is None


def test_all_kernels_are_listed_page_by_page() -> None:
    many = prediction(kernels=[kernel(ms=1.0 + i) for i in range(450)])
    pages = [breakdown(many, page) for page in (1, 2, 3, 99)]
    assert [len(found.slowest) for found in pages if found] == [200, 200, 50, 50]
    assert pages[0] and pages[0].pages == 3 and pages[0].slowest[0].position == 450
    assert pages[3] and pages[3].slowest[-1].position == 1
    assert pages[0].sentences == pages[3].sentences  # which are of the whole


def rooflined(**more: Any) -> dict[str, Any]:
    rates = {"flops_per_s": 1e9, "bytes_per_s": 1e8, "cache_bytes_per_s": 4e8}
    return prediction(roofline=rates, memory=MEMORY, **more)


MEMORY = {"constants_bytes": 900_000, "packed_bytes": 100_000, "activations_bytes": 1_000_000}
PEAKS = {"flops_per_s": {"float32": 2e9, "int8": 8e9}, "bytes_per_s": 1e8, "cache_bytes_per_s": 4e8}


def test_kernels_have_the_roof_of_their_precision() -> None:
    kernels = [kernel(precision="fp32"), kernel(precision="int8"), kernel(precision="int64", flops=0)]
    found = roofs(rooflined(kernels=kernels), PEAKS)
    assert found is not None and found.flops_per_s == {"fp32": 2e9, "int8": 8e9} and found.note == ""
    plain = roofs(rooflined(kernels=[kernel(precision="fp32")]), PEAKS)
    assert plain is not None and plain.note == ""
    half = roofs(rooflined(kernels=[kernel(precision="fp16"), kernel(ms=0.001, precision="bf16")]), PEAKS)
    assert half is not None and half.flops_per_s == {} and "in fp16 was not measured" in half.note
    for peaks in (None, {}, {**PEAKS, "bytes_per_s": "much"}, {**PEAKS, "flops_per_s": 1e9}):
        guessed = roofs(rooflined(kernels=kernels), peaks)
        assert guessed is not None and guessed.flops_per_s == {"fp32": 1e9} and "were not measured" in guessed.note
    assert roofs(prediction(), PEAKS) is None


def test_what_limits_a_kernel_is_reckoned_with_the_rate_of_its_precision() -> None:
    # 37 ms of traffic, and 20 ms of arithmetic in fp32, 5 in int8.
    alike: dict[str, Any] = {"flops": 40_000_000, "bytes": 4_000_000, "bound": "compute"}
    kernels = [
        kernel(precision="int8", **alike), kernel(precision="fp32", **alike), kernel(precision="fp16", **alike),
        kernel(precision="int8", **{**alike, "flops": 400_000_000, "bound": "memory"}),
        kernel(precision="int8", **{**alike, "bound": "launch"}), kernel(ms=None, precision="int8"),
    ]  # fmt: skip
    shown = rooflined(kernels=kernels)
    assert bounds(shown, roofs(shown, PEAKS)) == ["memory", "compute", "compute", "compute", "launch", None]
    for found in (None, roofs(shown, None)):
        assert bounds(shown, found) == [k["bound"] for k in kernels]
    parts = breakdown(shown, roofs=roofs(shown, PEAKS))
    assert parts is not None and [slow.bound for slow in parts.slowest][:2] == ["memory traffic", "arithmetic"]
    assert "memory traffic 20 %" in parts.sentences[-1]


def test_kernels_that_are_alike_are_one_dot() -> None:
    alike = {"precision": "fp32", "bytes": 40, "flops": 2_000_000}
    kernels = [kernel("a.Conv", 1.0, **alike), kernel("Add", 0.5, **alike), kernel("a.Conv", 3.0, **alike)]
    shown = rooflined(kernels=[*kernels, kernel("Odd", None, **alike), kernel("Add", 2.0, flops=0, bytes=1)])
    found = roofs(shown, PEAKS)
    assert found is not None
    drawn = roofline(shown, found)
    assert [(k["kind"], len(k["dots"])) for k in drawn["kinds"]] == [("a.Conv", 1), ("Add", 1)]
    assert drawn["kinds"][0]["dots"][0] == {
        "intensity": 50_000.0, "gflops": 1.0, "share": 0.8, "ms": 2.0, "count": 2, "precision": "fp32",
        "source": "table", "nodes": "a, b",
    }  # fmt: skip
    assert drawn["gflops"] == {"fp32": 2.0} and drawn["memory_gbs"] == 0.1


def test_the_course_of_memory_keeps_its_peak_however_long_it_is() -> None:
    kernels = [kernel(ms=0.001, live_bytes=1000 * (i % 7)) for i in range(20_000)]
    kernels[12_345]["live_bytes"], kernels[12_345]["nodes"] = 1_000_000, ["high"]
    found = course(rooflined(kernels=kernels))
    assert found is not None and len(found.steps) <= 600 and len(found.edge) < 10_000
    assert (found.highest.mb, found.highest.kernel["nodes"], found.constants_mb) == (2.0, ["high"], 1.0)
    memory = found.to_json()
    assert memory["ms"] == sorted(memory["ms"]) and memory["end_ms"] == pytest.approx(20)
    assert memory["nodes"][memory["mb"].index(2.0)] == "high"


@pytest.mark.parametrize(
    ("live", "scale"),
    [(9_800_000, [12.5, 10, 7.5, 5, 2.5, 0]), (4_000_000, [5, 4, 3, 2, 1, 0]), (0, [1.0, 0.8, 0.6, 0.4, 0.2, 0.0]),
     (98_900_000, [100, 80, 60, 40, 20, 0])],
)  # fmt: skip
def test_memory_has_a_round_scale(live: int, scale: list[float]) -> None:
    kernels = [kernel(ms=3.0, live_bytes=live), kernel(ms=1.0, live_bytes=0)]
    found = course({**rooflined(kernels=kernels), "peak_memory_bytes": 1_000_000 + live})
    assert found is not None and found.scale == pytest.approx(scale) and found.peak_mb == pytest.approx(1 + live / 1e6)
    top, low = (round(1000 * (1 - mb / scale[0]), 1) for mb in (1 + live / 1e6, 1.0))
    assert found.edge == f"M0 {top:g}H750V{low:g}H1000"
    assert course(rooflined(kernels=[kernel(ms=None)])) is None and course(prediction()) is None


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
    assert compare(models, {"y": "memory", "chosen": "memory"}, {}).y == "value"  # nobody wanted memory
    assert compare(models, {"y": "memory", "chosen": "value"}, {}).y == "memory"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (5.126, "5.13"), (0.001234, "0.00123"), (54.21, "54.2"),
     (123456.7, "123,457"), (-2.5, "-2.50")],
)  # fmt: skip
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert formats.digits(value) == text


def test_units_and_ages() -> None:
    assert formats.count(708e6, "FLOPs") == "708 MFLOPs" and formats.count(12) == "12" and formats.count(1.5) == "1.50"
    assert formats.mb(8_890_976) == "8.89 MB" and formats.signed_percent(-0.011) == "−1.1 %"
    assert formats.signed_percent(-0.0004) == "0.0 %"
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
    locked = commands.curl(request, evil, "http://h", with_key=True)
    assert shlex.split(locked.replace("\\\n", ""))[-1] == "Authorization: Bearer $ARCHGAUGE_API_KEY"
    assert 'api_key=os.environ["ARCHGAUGE_API_KEY"]' in commands.python(request, evil, "http://h", with_key=True)
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
