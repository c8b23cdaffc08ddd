"""Pictures of a run: predicted against measured, error by kernel kind, interval calibration."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.accuracy.stages import Run


def draw(run: Run, folder: Path) -> list[tuple[Path, str]]:
    """Files and captions of what could be drawn; nothing without matplotlib."""
    if find_spec("matplotlib") is None:
        return []
    import matplotlib

    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, caption, picture in (
        ("accuracy-models", "Predicted against measured latency of real models", _models),
        ("accuracy-kinds", "Error by kernel kind, families held out", _kinds),
        ("accuracy-intervals", "How many measurements lie inside intervals of each confidence", _intervals),
    ):
        file = folder / f"{name}.svg"
        if _save(run, picture, file):
            drawn.append((file, caption))
    return drawn


def _save(run: Run, picture: Callable[[Run, Any], bool], file: Path) -> bool:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")
    there = picture(run, axes)
    if there:
        figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
    return there


def _models(run: Run, axes: Any) -> bool:
    found = run.result("models")
    if found is None:
        return False
    for sort in sorted({m["sort"] for m in found["models"]}):
        mine = [m for m in found["models"] if m["sort"] == sort]
        predicted = [m["predicted_ms"] for m in mine]
        reach = [[p - m["lower_ms"] for p, m in zip(predicted, mine, strict=True)],
                 [m["upper_ms"] - p for p, m in zip(predicted, mine, strict=True)]]  # fmt: skip
        axes.errorbar([m["measured_ms"] for m in mine], predicted, yerr=reach, fmt="o", ms=3.5, lw=0.8, label=sort)
    ends = [min(m["measured_ms"] for m in found["models"]), max(m["measured_ms"] for m in found["models"])]
    axes.plot(ends, ends, color="0.6", lw=0.8, zorder=0)
    axes.set(xscale="log", yscale="log", xlabel="measured, ms", ylabel="predicted, ms, with 90 % interval")
    axes.legend(frameon=False)
    return True


def _kinds(run: Run, axes: Any) -> bool:
    found = run.result("families")
    if found is None:
        return False
    kinds = found["kernels"]["kinds"][:14][::-1]
    names = [k["kind"].removeprefix("com.microsoft.") for k in kinds]
    axes.barh(names, [100 * k["mape"] for k in kinds], color="#8fb3d9", label="error weighted by time")
    axes.plot([100 * k["bias"] for k in kinds], names, "|", color="#c2410c", ms=12, mew=2, label="bias")
    axes.set(xlabel="per cent")
    axes.legend(frameon=False)
    return True


def _intervals(run: Run, axes: Any) -> bool:
    drawn = False
    for name, label in (("random", "random"), ("families", "family held out"), ("sizes", "sizes extrapolated")):
        found = run.result(name)
        if found is not None:
            coverages = found["wholes"]["interval_coverages"]
            axes.plot([100 * float(c) for c in coverages], [100 * s for s in coverages.values()], "o-", label=label)
            drawn = True
    if not drawn:
        return False
    axes.plot([50, 100], [50, 100], color="0.6", lw=0.8, zorder=0)
    axes.set(xlabel="stated confidence, %", ylabel="measurements inside, %")
    axes.legend(frameon=False)
    return True
