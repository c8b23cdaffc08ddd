// The charts of a target's page.
import { axis, colour, COLOURS, digits, draw, plain, style } from "./charts.js";

const points = (id) => JSON.parse(document.getElementById(id)?.dataset.points ?? "[]");
const quiet = (more = {}) => ({ color: style("quiet"), width: 1.2, ...more });
const line = (more) => ({ mode: "lines", hoverinfo: "skip", line: quiet(), ...more });

const networks = points("scatter");
if (networks.length) draw("scatter", () => {
  const families = [...new Set(networks.map((p) => p.family))].sort();
  const all = networks.flatMap((p) => [p.measured, p.predicted]);
  const ends = [Math.min(...all) / 1.3, Math.max(...all) * 1.3];
  const dotted = quiet({ width: 1, dash: "dot" });
  const data = [
    line({ name: "equal", x: ends, y: ends }),
    line({ name: "±10 %", x: ends, y: ends.map((v) => v * 1.1), line: dotted }),
    line({ showlegend: false, x: ends, y: ends.map((v) => v / 1.1), line: dotted }),
    {
      mode: "markers", showlegend: false, x: networks.map((p) => p.measured), y: networks.map((p) => p.predicted),
      text: networks.map(said), hovertemplate: "%{text}<extra></extra>",
      marker: {
        size: 7, opacity: 0.75, color: networks.map((p) => colour(families.indexOf(p.family) % COLOURS)),
        line: { width: 1, color: style("page") },
      },
    },
  ];
  const log = { type: "log", range: ends.map(Math.log10), dtick: 1 };
  const yaxis = axis("Predicted, ms", log);
  return { data, layout: { hovermode: "closest", xaxis: axis("Measured, ms", log), yaxis } };
});

function said(network) {
  const times = `measured ${digits(network.measured)} ms, predicted ${digits(network.predicted)} ms`;
  return `${plain(network.name)}<br>${times}<br>${digits(100 * (network.predicted / network.measured - 1))} %`;
}

const calibration = points("calibration");
if (calibration.length) draw("calibration", () => {
  const data = [
    line({ name: "as promised", x: [0, 100], y: [0, 100] }),
    {
      name: "observed", mode: "lines+markers", x: calibration.map(([nominal]) => 100 * nominal),
      y: calibration.map(([, observed]) => 100 * observed), marker: { size: 8, color: colour(0) },
      line: { color: colour(0), width: 2 }, hovertemplate: "%{y:.0f} % inside their %{x:.0f} % interval<extra></extra>",
    },
  ];
  const percent = { range: [0, 103], ticksuffix: " %", dtick: 25 };
  const yaxis = axis("Measurements inside", percent);
  return { data, layout: { hovermode: "closest", xaxis: axis("Nominal coverage", percent), yaxis } };
});

const drift = points("drift");
if (drift.length) draw("drift", () => {
  const data = [{
    mode: drift.length > 1 ? "lines" : "markers", x: drift.map(([moment]) => moment),
    y: drift.map(([, ratio]) => 100 * (ratio - 1)), line: { color: colour(0), width: 1.3 },
    hovertemplate: "%{y:+.1f} % at %{x|%H:%M:%S}<extra></extra>",
  }];
  const zero = { ticksuffix: " %", zeroline: true, zerolinecolor: style("strong-line") };
  const yaxis = axis("Slower than the reference", zero);
  return { data, layout: { hovermode: "closest", showlegend: false, xaxis: axis("Time, UTC"), yaxis } };
});
