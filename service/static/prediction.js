// The charts of one prediction: its kernels under the roofline, and memory over the time of a run.
import { axis, colour, COLOURS, digits, draw, operator, plain, style } from "./charts.js";

const place = document.getElementById("charts");

if (place) {
  const response = await fetch(`/v1/predictions/${encodeURIComponent(place.dataset.prediction)}`);
  const answer = await response.json();
  const prediction = answer.predictions?.find((p) => p.target === place.dataset.target);
  if (prediction?.kernels) {
    draw("memory", () => memory(prediction));
    draw("roofline", () => roofline(prediction));
  }
}

function nodesOf(kernel) {
  return plain(kernel.nodes.slice(0, 3).join(", ").slice(0, 160) + (kernel.nodes.length > 3 ? " …" : ""));
}

/** Bytes alive over predicted time: constants below, activations above them. */
function memory({ kernels, memory: parts, peak_memory_bytes: peak }) {
  const constants = parts ? (parts.constants_bytes + parts.packed_bytes) / 1e6 : 0;
  const x = [], live = [], text = [];
  let now = 0;
  for (const kernel of kernels) {
    x.push(now);
    live.push(constants + (kernel.live_bytes ?? 0) / 1e6);
    text.push(`${plain(operator(kernel.kind))}<br>${nodesOf(kernel)}`);
    now += kernel.latency_ms ?? 0;
  }
  x.push(now);
  live.push(live.at(-1) ?? constants);
  text.push("end");
  const level = { mode: "lines", hoverinfo: "skip", x: [0, now] };
  const data = [
    {
      ...level, y: [constants, constants], name: "constants", line: { width: 0 }, fill: "tozeroy",
      fillcolor: mixed(style("plot-7"), 0.35),
    },
    {
      x, y: live, text, mode: "lines", name: "constants and activations", fill: "tonexty",
      line: { shape: "hv", width: 1.5, color: colour(0) }, fillcolor: mixed(colour(0), 0.2),
      hovertemplate: "%{y:.3~f} MB at %{x:.3~f} ms<br>%{text}<extra></extra>",
    },
    {
      ...level, y: [peak / 1e6, peak / 1e6], name: `peak ${digits(peak / 1e6)} MB`,
      line: { width: 1.2, dash: "dot", color: style("quiet") },
    },
  ];
  const zero = { rangemode: "tozero" };
  return { data, layout: { xaxis: axis("Time in the run, ms", zero), yaxis: axis("Memory, MB", zero) } };
}

/** Arithmetic rate over intensity, both logarithmic; kinds that take the most time have colours. */
function roofline({ kernels, roofline: peaks, latency_ms: total }) {
  const shown = kernels.filter((k) => k.flops > 0 && k.bytes > 0 && k.latency_ms > 0);
  const times = new Map();
  for (const k of shown) times.set(k.kind, (times.get(k.kind) ?? 0) + k.latency_ms);
  const kinds = [...times.keys()].sort((a, b) => times.get(b) - times.get(a));
  const named = kinds.slice(0, COLOURS - 1);
  const groups = [...named.map((kind) => [kind, shown.filter((k) => k.kind === kind)]),
    ["others", shown.filter((k) => !named.includes(k.kind))]].filter(([, members]) => members.length);
  const data = groups.map(([kind, members], index) => ({
    name: plain(operator(kind)), type: "scatter", mode: "markers",
    x: members.map((k) => k.flops / k.bytes), y: members.map((k) => k.flops / k.latency_ms / 1e6),
    text: members.map((k) => {
      const share = `${digits((100 * k.latency_ms) / total.value)} %`;
      return `${plain(k.kind)}<br>${nodesOf(k)}<br>${digits(k.latency_ms)} ms, ${share}, ${k.source}`;
    }),
    hovertemplate: "%{text}<br>%{y:.3~s} GFLOP/s at %{x:.3~s} FLOP/byte<extra></extra>",
    marker: {
      color: kind === "others" ? colour(COLOURS - 1) : colour(index), opacity: 0.75,
      size: members.map((k) => Math.max(5, 60 * Math.sqrt(k.latency_ms / total.value))),
      line: { width: 1, color: style("page") },
    },
  }));
  if (peaks) data.push(...ceilings(peaks, shown));
  const ticks = { type: "log", exponentformat: "none", dtick: 1 };
  const xaxis = axis("Arithmetic intensity, FLOP per byte moved", ticks);
  return { data, layout: { hovermode: "closest", xaxis, yaxis: axis("Arithmetic rate, GFLOP/s", ticks) } };
}

/** The roofs: peak arithmetic, and traffic from memory and from caches. */
function ceilings(peaks, shown) {
  const all = shown.map((k) => k.flops / k.bytes);
  const lowest = Math.min(0.1, ...all) / 2, highest = Math.max(100, ...all) * 2;
  const line = (rate, name, dash) => {
    const ridge = peaks.flops_per_s / rate;
    const xs = [lowest, Math.max(ridge, lowest), highest];
    const y = xs.map((intensity) => Math.min(intensity * rate, peaks.flops_per_s) / 1e9);
    return { name, mode: "lines", hoverinfo: "skip", x: xs, y, line: { color: style("quiet"), width: 1.3, dash } };
  };
  return [
    line(peaks.bytes_per_s, `memory, ${digits(peaks.bytes_per_s / 1e9)} GB/s`, "solid"),
    line(peaks.cache_bytes_per_s, `caches, ${digits(peaks.cache_bytes_per_s / 1e9)} GB/s`, "dot"),
  ];
}

function mixed(hex, opacity) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${r},${g},${b},${opacity})`;
}
