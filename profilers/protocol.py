"""The measuring protocol, version 1. A change of any number here that changes labels raises the version.

*Warming up.* Once per process the sentinel runs until two successive blocks agree within `SETTLE_TOLERANCE`, for at
most `SETTLE_SECONDS`; each model then runs until two successive blocks agree, for at most `MODEL_SETTLE_SECONDS`.
What has not settled by then is measured and marked.

*In-network kernels.* The model runs with the runtime's profiler on, at least `PROFILED_MIN_RUNS` times and for
`PROFILED_SECONDS`; a kernel's label is the mean of its fastest `KEPT_SHARE` of runs; its blocks are the means of
`PROFILED_BLOCKS` successive parts of the runs. The profiler counts whole microseconds, rounded down: the mean over runs
dithers, and `PROFILER_ROUNDING_US` is added back. What remains of its own cost (2 to 4 µs per kernel that the
unprofiled run does not have) is left in the label, since composition fits it against whole models.

*Whole models.* Blocks of runs without the profiler, in the same session directly afterwards; the label is the median
over blocks of the time per run, and p10, p90 and the median absolute deviation are over blocks.

*Isolated kernels.* A model of n copies of the kernel on the same inputs, with the runtime's optimisations off. Up to
`SLOPE_BELOW_US` the label is the slope between n and 2n copies, which has no cost of the call in it; above, it is the
block time less the time of an empty call. Copies are not chained: see `profilers.isolated.copies`.

*Drift.* The sentinel, a fixed convolution, is read before and after every measurement and every
`SENTINEL_EVERY_SECONDS` within it. Where it was faster in one half of a measurement than in the other by more than
`SENTINEL_TOLERANCE`, or by more than its readings scatter on this machine anyway, or where the process lost the
processor for more than `PREEMPTED_TOLERANCE` of the time, the measurement is made once more and the calmer of the two
attempts counts. In the end labels are divided by the sentinel's time over its reference, where a measurement's own
reading is drawn to those of the seconds around it (see `lookup_tables.drift`). The sentinel's working set is larger
than most private caches, so that it slows down about as much as whole models do: a smaller one would correct too
much.
"""

from __future__ import annotations

PROTOCOL_VERSION = 1

#: A block lasts at least this many times the timer's resolution.
BLOCK_RESOLUTIONS = 20
#: … and at least so long that the two calls of the clock do not matter.
BLOCK_SECONDS = 0.0005

SETTLE_TOLERANCE = 0.02
SETTLE_SECONDS = 2.0
MODEL_SETTLE_SECONDS = 0.05

PROFILED_MIN_RUNS = 8
PROFILED_MAX_RUNS = 60
PROFILED_SECONDS = 0.12
PROFILED_BLOCKS = 8
KEPT_SHARE = 0.8
PROFILER_ROUNDING_US = 0.5

WHOLE_SECONDS = 0.25
WHOLE_BLOCKS = 30
WHOLE_MIN_BLOCKS = 5

ISOLATED_SECONDS = 0.01
ISOLATED_SETTLE_SECONDS = 0.005
SLOPE_BELOW_US = 200.0
#: Copies are chosen so that the smaller model takes about this long.
COPIES_US = 200.0
COPIES_MAX = 64

SENTINEL_RUNS = 2
SENTINEL_EVERY_SECONDS = 0.05
SENTINEL_TOLERANCE = 0.03
PREEMPTED_TOLERANCE = 0.02
