"""Runs written down as Markdown, with pictures where matplotlib is installed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy import pictures
from benchmarks.accuracy.stages import Run

#: Kernel kinds and families that a table lists.
_LISTED = 14

Row = Mapping[str, Any]


#: What stands above this line of a page is written by hand and stays.
MARKER = "<!-- what follows is written by the benchmark -->"


def write(runs: Sequence[Run], output: Path) -> None:
    """The page below its hand-written part, and its pictures beside it."""
    above = output.read_text().partition(MARKER)[0].rstrip() if output.exists() else "# Accuracy"
    drawn = [picture for run in runs[:1] for picture in pictures.draw(run, output.parent / "images")]
    parts = [above, MARKER, text(runs)]
    for file, caption in drawn:
        parts.append(f"![{caption}](images/{file.name})")
    output.write_text("\n\n".join(parts) + "\n")


def text(runs: Sequence[Run]) -> str:
    """All that is known of the runs; stages that were not made are left out."""
    parts = [_header(runs), *filter(None, (_real(runs), _repeated(runs)))]
    for run in runs:
        if run.result("families") is not None:
            parts += filter(None, (_splits(run), _intervals(run), _families(run), _kinds(run)))
            parts += filter(None, (_regressors(run), _curve(run), _composition(run)))
            break
    parts += filter(None, (_models(run) for run in runs))
    return "\n\n".join(parts)


def _name(run: Run) -> str:
    profile = run.result("profile") or {}
    threads = int(profile.get("threads", 1))
    return f"{' and '.join(profile.get('precisions', ()))}, {threads} thread{'s' if threads > 1 else ''}"


def _header(runs: Sequence[Run]) -> str:
    lines = ["Written by `python -m benchmarks.accuracy report`. All errors are `predicted / measured - 1`.", ""]
    rows = []
    for number, run in enumerate(runs, 1):
        document = run.document("profile")
        if document is None:
            continue
        profile, report = document["result"], document["result"]["report"]
        rows.append((
            str(number), _name(run), time.strftime("%Y-%m-%d", time.gmtime(document["made_at"])),
            f"{profile['budget_s'] / 60:.0f} min", f"{profile['rows']:,}", f"{profile['counts']['distinct_kernels']:,}",
            f"{profile['counts']['contexts']:,}", _percent(report["noise_floor"]),
        ))  # fmt: skip
        machine = document["machine"]
    facts = f"{machine['cpu_model']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['os']}"
    lines += [f"Machine: {facts}{', virtual' if machine['virtualised'] else ''}.", "", ""]
    columns = ("run", "what", "date", "measuring", "measurements", "kernels", "networks", "noise floor of the profile")
    return "\n".join(lines) + _table(columns, rows)


def _real(runs: Sequence[Run]) -> str:
    rows = []
    for number, run in enumerate(runs, 1):
        merged = run.result("models")
        for sort, found in (merged or {"sorts": {}})["sorts"].items():
            rows.append((
                str(number), f"{_name(run)}: {sort}", str(found["models"]), _percent(found["mape"]),
                _percent(found["median_ape"]), _percent(found["within_10"], 0), f"{found['spearman']:.4f}",
                f"{found['bias']:+.1%}", _percent(found["worst"]), _percent(found["noise_floor"]),
                _percent(found["inside"], 0), _percent(found["median_width"], 0),
                _percent(found["memory_within_10"], 0),
            ))  # fmt: skip
    if not rows:
        return ""
    columns = (
        "run", "models", "n", "MAPE", "median", "within ±10 %", "Spearman ρ", "bias", "worst", "noise floor",
        "inside 90 % interval", "median width", "memory within 10 %",
    )  # fmt: skip
    return (
        "## Real models\n\nNothing of them was in training. The noise floor is the mean difference of two measurements "
        "of the same models in separate processes, ten minutes or more apart.\n\n" + _table(columns, rows)
        + "\n\n" + " ".join(filter(None, (_coincidences(number, run) for number, run in enumerate(runs, 1))))
    )  # fmt: skip


def _coincidences(number: int, run: Run) -> str:
    found = run.result("coincidences")
    if found is None:
        return ""
    equal = ", ".join(found["equal_networks"]) or "none"
    return (
        f"Run {number}: models equal to a measured network: {equal}; of the models' kernels "
        f"{_percent(found['kernels'], 0)} ({_percent(found['time'], 0)} of the time) were measured exactly, in other "
        "networks."
    )


def _splits(run: Run) -> str:
    rows = []
    for name, title in (("random", "random"), ("families", "family held out"), ("sizes", "sizes extrapolated")):
        found = run.result(name)
        if found is None:
            continue
        wholes, strange = found["wholes"], found["out_of_distribution"]
        rows.append((
            title, str(wholes["models"]), _percent(wholes["mape"]), _percent(wholes["median_ape"]),
            _percent(wholes["within_10"], 0), f"{wholes['bias']:+.1%}", f"{wholes['spearman']:.4f}",
            _percent(found["kernels"].get("mape")), _flag(strange["flagged"]), _flag(strange["unflagged"]),
        ))  # fmt: skip
    columns = (
        "split", "networks", "MAPE", "median", "within ±10 %", "bias", "Spearman ρ", "kernels, weighted by time",
        "MAPE of flagged", "MAPE of unflagged",
    )  # fmt: skip
    return f"## Synthetic networks, three splits ({_name(run)})\n\n" + _table(columns, rows)


def _flag(found: Row) -> str:
    return "–" if found["mape"] is None else f"{_percent(found['mape'])} ({found['models']})"


def _intervals(run: Run) -> str:
    rows = []
    for name in ("random", "families", "sizes"):
        found = run.result(name)
        if found is not None:
            wholes = found["wholes"]
            width = wholes["interval_factor"] - 1.0 / wholes["interval_factor"]
            coverages = [_percent(share) for share in wholes["interval_coverages"].values()]
            rows.append((name, str(wholes["models"]), *coverages, _percent(width, 0)))
    columns = ("split", "networks", "inside 50 %", "inside 80 %", "inside 90 %", "inside 95 %", "median width of 90 %")
    return "## Intervals\n\n" + _table(columns, rows)


def _families(run: Run) -> str:
    found = run.result("families") or {}
    order = sorted(found["families"].items(), key=lambda item: -item[1]["mape"])
    rows = [
        (name, str(f["models"]), _percent(f["mape"]), f"{f['bias']:+.1%}", _percent(f["interval_coverage"], 0))
        for name, f in order[:_LISTED]
    ]
    sizes = [(n, str(f["models"]), _percent(f["mape"]), f"{f['bias']:+.1%}") for n, f in found["sizes"].items()]
    return (
        "## Worst families and sizes, families held out\n\n"
        + _table(("family", "networks", "MAPE", "bias", "inside 90 %"), rows)
        + "\n\n" + _table(("size", "networks", "MAPE", "bias"), sizes)
    )  # fmt: skip


def _kinds(run: Run) -> str:
    found = run.result("families") or {}
    rows = [
        (
            f"`{k['kind']}`",
            _percent(k["time_share"]),
            _percent(k["mape"]),
            _percent(k["median_ape"]),
            f"{k['bias']:+.1%}",
        )
        for k in found["kernels"]["kinds"][:_LISTED]
    ]
    columns = ("kernel kind", "share of time", "error weighted by time", "median", "bias")
    return "## Kernel kinds, families held out\n\n" + _table(columns, rows)


def _regressors(run: Run) -> str:
    found = run.result("regressors")
    if found is None:
        return ""
    rows = [
        (name, _percent(e["kernels_mape_by_time"]), _percent(e["kernels_median"]), _percent(e["networks_mape"]),
         _percent(e["networks_median"]))
        for name, e in found["learners"].items()
    ]  # fmt: skip
    columns = ("learner", "kernels, weighted by time", "kernels, median", "networks summed up", "networks, median")
    return (
        f"## Regressors\n\nThe same {found['networks']} networks ({found['rows']:,} kernels), families left out, no "
        "table.\n\n" + _table(columns, rows)
    )


def _curve(run: Run) -> str:
    found = run.result("curve")
    if found is None:
        return ""
    minutes = list(next(iter(found["orders"].values())))
    rows = [
        (name, *(f"{_percent(by[m]['mape'])} ({_percent(by[m]['within_10'], 0)})" for m in minutes))
        for name, by in found["orders"].items()
    ]
    return (
        "## Error against profiling time\n\nMAPE on the same held-out networks (share within ±10 %), replayed from one "
        "table.\n\n" + _table(("order", *(f"{m} min" for m in minutes)), rows)
    )


def _composition(run: Run) -> str:
    report = (run.result("profile") or {})["report"]
    rows = [(name, _percent(error)) for name, error in report["composition"]["ablation"].items()]
    return (
        "## Composition\n\nMeasured kernels summed up to measured wholes of held-out networks, by the terms that the "
        "sum may have.\n\n" + _table(("terms", "MAPE"), rows)
    )


def _repeated(runs: Iterable[Run]) -> str:
    rows = []
    for run in runs:
        found = run.result("repeat")
        if found is not None:
            for name in ("wholes", "kernels", "kernels_over_10_us", "kernels_under_10_us"):
                e = found[name]
                if e["n"]:
                    cells = (_percent(e["median"]), _percent(e["by_time"]), _percent(e["p90"]))
                    rows.append(
                        (_name(run), name.replace("_", " "), str(e["n"]), *cells, f"{found['minutes_apart']:.0f}")
                    )
    columns = ("run", "what", "n", "median difference", "weighted by time", "90 % are below", "minutes apart")
    return "## Measuring again\n\nIn a new process, drift divided out.\n\n" + _table(columns, rows) if rows else ""


def _models(run: Run) -> str:
    merged = run.result("models")
    if merged is None:
        return ""
    rows = [
        (m["model"].removesuffix(".onnx"), f"{m['measured_ms']:.2f}", f"{m['predicted_ms']:.2f}", f"{m['error']:+.1%}",
         "yes" if m["inside"] else "no", _percent(m["difference"]))
        for m in sorted(merged["models"], key=lambda m: m["error"])
    ]  # fmt: skip
    columns = ("model", "measured ms", "predicted ms", "error", "inside", "difference of rounds")
    kinds = [
        (f"`{k['kind']}`", _percent(k["time_share"]), _percent(k["error"]), f"{k['bias']:+.1%}")
        for k in merged["kernel_kinds"][:_LISTED]
    ]
    return (
        f"## Each real model ({_name(run)})\n\n" + _table(columns, rows)
        + "\n\n" + _table(("kernel kind", "share of time", "error", "bias"), kinds)
    )  # fmt: skip


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    return "\n".join((line(columns), line(["---"] * len(columns)), *map(line, rows)))


def _percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{100 * share:.{digits}f} %"
