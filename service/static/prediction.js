// The charts of one prediction: its kernels under the roofline, and memory over the time of a run.
import { ask } from "./asking.js";
import { axis, colour, COLOURS, digits, draw, operator, plain, style } from "./charts.js";

const place = document.getElementById("charts");

if (place) {
  const query = new URLSearchParams({ target: place.dataset.target });
  let answer; // asked for when the first chart is about to be seen
  const load = () => (answer ??= ask(`/predictions/${encodeURIComponent(place.dataset.prediction)}/charts?${query}`));
  draw("memory", ({ memory }) => course(memory), load);
  draw("roofline", ({ roofline }) => underRoofs(roofline), load);
}

/** Bytes alive over predicted time: constants below, activations above them. */
function course({ ms, mb, kinds, nodes, end_ms: end, constants_mb: constants, peak_mb: peak }) {
  const level = { mode: "lines", hoverinfo: "skip", x: [0, end] };
  const data = [
    {
      ...level, y: [constants, constants], name: "constants", line: { width: 0 }, fill: "tozeroy",
      fillcolor: mixed(style("plot-7"), 0.35),
    },
    {
      x: [...ms, end], y: [...mb, mb.at(-1) ?? constants], mode: "lines", name: "constants and activations",
      text: [...kinds.map((kind, i) => `${plain(operator(kind))}<br>${plain(nodes[i])}`), "end"], fill: "tonexty",
      line: { shape: "hv", width: 1.5, color: colour(0) }, fillcolor: mixed(colour(0), 0.2),
      hovertemplate: "%{y:.3~f} MB at %{x:.3~f} ms<br>%{text}<extra></extra>",
    },
  ];
  if (peak !== null) data.push({
    ...level, y: [peak, peak], name: `peak ${digits(peak)} MB`,
    line: { width: 1.2, dash: "dot", color: style("quiet") },
  });
  const zero = { rangemode: "tozero" };
  return { data, layout: { xaxis: axis("Time in the run, ms", zero), yaxis: axis("Memory, MB", zero) } };
}

/** Arithmetic rate over intensity, both logarithmic; kinds that take the most time have colours. */
function underRoofs(roofline) {
  const named = roofline.kinds.slice(0, COLOURS - 1), rest = roofline.kinds.slice(COLOURS - 1);
  const groups = named.map(({ kind, dots }) => [operator(kind), dots.map(said(kind)), dots]);
  if (rest.length) {
    groups.push(["others", rest.flatMap(({ kind, dots }) => dots.map(said(kind))), rest.flatMap(({ dots }) => dots)]);
  }
  const data = groups.map(([name, text, dots], index) => ({
    name: plain(name), type: "scatter", mode: "markers", text,
    x: dots.map((dot) => dot.intensity), y: dots.map((dot) => dot.gflops),
    hovertemplate: "%{text}<br>%{y:.3~s} GFLOP/s at %{x:.3~s} FLOP/byte<extra></extra>",
    marker: {
      color: colour(name === "others" ? COLOURS - 1 : index), opacity: 0.75,
      size: dots.map((dot) => Math.max(5, 60 * Math.sqrt(dot.share))), line: { width: 1, color: style("page") },
    },
  }));
  const ticks = { type: "log", exponentformat: "none", dtick: 1 };
  const xaxis = axis("Arithmetic intensity, FLOP per byte moved", ticks);
  return {
    data: [...data, ...roofs(roofline)],
    layout: { hovermode: "closest", xaxis, yaxis: axis("Arithmetic rate, GFLOP/s", ticks) },
  };
}

function said(kind) {
  return ({ count, ms, share, precision, source, nodes }) => [
    plain(kind), plain(nodes) + (count > 1 ? `<br>and ${count - 1} like it` : ""),
    `${digits(ms)} ms${count > 1 ? " each" : ""}, ${digits(100 * share)} %, ${precision ?? "–"}, ${source}`,
  ].join("<br>");
}

/** The roofs: peak arithmetic in each precision, and traffic from memory and from caches up to the highest of them. */
function roofs({ kinds, gflops, memory_gbs: memory, caches_gbs: caches }) {
  const dots = kinds.flatMap((kind) => kind.dots);
  const lowest = Math.min(0.1, ...dots.map((dot) => dot.intensity)) / 2;
  const highest = Math.max(100, ...dots.map((dot) => dot.intensity)) * 2;
  const top = Math.max(...Object.values(gflops), ...dots.map((dot) => dot.gflops));
  const line = (name, dash, ...ends) => ({
    name, mode: "lines", hoverinfo: "skip", x: ends.map(([x]) => x), y: ends.map(([, y]) => y),
    line: { color: style("quiet"), width: 1.3, dash },
  });
  const slope = (rate, name, dash) => {
    const ridge = Math.min(Math.max(top / rate, lowest), highest);
    return line(`${name}, ${digits(rate)} GB/s`, dash, [lowest, lowest * rate], [ridge, ridge * rate]);
  };
  const flat = ([precision, rate], index) => line(
    `${precision}, ${digits(rate)} GFLOP/s`, ["solid", "dash", "longdash"][index] ?? "dashdot",
    [Math.max(rate / caches, lowest), rate], [highest, rate]);
  return [
    slope(memory, "memory", "solid"), slope(caches, "caches", "dot"), ...Object.entries(gflops).map(flat),
  ];
}

function mixed(hex, opacity) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${r},${g},${b},${opacity})`;
}
