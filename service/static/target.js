// The charts of a target's page.
import { axis, colour, COLOURS, digits, draw, plain, style } from "./charts.js";

const data = (id) => JSON.parse(document.getElementById(id)?.dataset.points ?? "[]");

const trace = (more) => ({ mode: "lines", hoverinfo: "skip", line: { color: style("quiet"), width: 1.2 }, ...more });

const scattered = data("scatter");
if (scattered.length) draw("scatter", () => {
  const families = [...new Set(scattered.map((p) => p.family))].sort();
  const all = scattered.flatMap((p) => [p.measured, p.predicted]);
  const ends = [Math.min(...all) / 1.3, Math.max(...all) * 1.3];
  const traces = [
    trace({ name: "equal", x: ends, y: ends }),
    trace({ name: "±10 %", x: ends, y: ends.map((v) => v * 1.1), line: { color: style("quiet"), width: 1, dash: "dot" } }),
    trace({ showlegend: false, x: ends, y: ends.map((v) => v / 1.1), line: { color: style("quiet"), width: 1, dash: "dot" } }),
    {
      name: "networks", mode: "markers", showlegend: false, x: scattered.map((p) => p.measured), y: scattered.map((p) => p.predicted),
      text: scattered.map((p) => `${plain(p.name)}<br>measured ${digits(p.measured)} ms, predicted ${digits(p.predicted)} ms<br>${digits(100 * (p.predicted / p.measured - 1))} %`),
      hovertemplate: "%{text}<extra></extra>",
      marker: { size: 7, opacity: 0.75, color: scattered.map((p) => colour(families.indexOf(p.family) % COLOURS)), line: { width: 1, color: style("page") } },
    },
  ];
  const log = { type: "log", range: ends.map(Math.log10), dtick: 1 };
  return { data: traces, layout: { hovermode: "closest", xaxis: axis("Measured, ms", log), yaxis: axis("Predicted, ms", log) } };
});

const calibration = data("calibration");
if (calibration.length) draw("calibration", () => {
  const percent = { range: [0, 103], ticksuffix: " %", dtick: 25 };
  return {
    data: [
      trace({ name: "as promised", x: [0, 100], y: [0, 100] }),
      {
        name: "observed", mode: "lines+markers", x: calibration.map(([nominal]) => 100 * nominal), y: calibration.map(([, observed]) => 100 * observed),
        hovertemplate: "%{y:.0f} % inside their %{x:.0f} % interval<extra></extra>", marker: { size: 8, color: colour(0) }, line: { color: colour(0), width: 2 },
      },
    ],
    layout: { hovermode: "closest", xaxis: axis("Nominal coverage", percent), yaxis: axis("Measurements inside", percent) },
  };
});

const drift = data("drift");
if (drift.length) draw("drift", () => ({
  data: [{
    mode: drift.length > 1 ? "lines" : "markers", x: drift.map(([moment]) => moment), y: drift.map(([, ratio]) => 100 * (ratio - 1)), line: { color: colour(0), width: 1.3 }, connectgaps: false,
    hovertemplate: "%{y:+.1f} % at %{x|%H:%M:%S}<extra></extra>",
  }],
  layout: { hovermode: "closest", showlegend: false, xaxis: axis("Time, UTC"), yaxis: axis("Slower than the reference", { ticksuffix: " %", zeroline: true, zerolinecolor: style("strong-line") }) },
}));
