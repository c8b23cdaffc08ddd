// The charts of one prediction: its kernels under the roofline, and memory over the time of a run.
import { ask } from "./asking.js";
import { axis, colour, COLOURS, digits, draw, operator, plain, style } from "./charts.js";

const place = document.getElementById("charts");

let answer;
/** What the charts draw, asked for when it is wanted first. */
function load() {
  const query = new URLSearchParams({ target: place.dataset.target });
  return (answer ??= ask(`/predictions/${encodeURIComponent(place.dataset.prediction)}/charts?${query}`));
}

if (place) draw("roofline", ({ roofline }) => underRoofs(roofline), load);

const drawing = document.getElementById("memory");

if (drawing) {
  const moment = document.getElementById("moment"), line = drawing.querySelector(".pointed");
  const before = moment.textContent, slider = document.getElementById("when");
  const tell = async (share) => {
    const { memory } = await load();
    const at = share * memory.end_ms;
    const step = Math.max(memory.ms.findLastIndex((begin) => begin <= at), 0);
    line.setAttribute("x1", 1000 * share);
    line.setAttribute("x2", 1000 * share);
    line.classList.add("on");
    moment.textContent =
      `${digits(memory.mb[step])} MB at ${digits(at)} ms: ${operator(memory.kinds[step])}, ${memory.nodes[step]}`;
    slider.setAttribute("aria-valuetext", moment.textContent);
  };
  const pointed = (event) => {
    const { left, width } = drawing.getBoundingClientRect();
    tell(Math.min(Math.max((event.clientX - left) / width, 0), 1));
  };
  const leave = () => {
    line.classList.remove("on");
    moment.textContent = before;
  };
  drawing.addEventListener("pointermove", pointed);
  drawing.addEventListener("pointerdown", pointed);
  drawing.addEventListener("pointerleave", leave);
  slider.hidden = false; // for keyboards and fingers
  slider.addEventListener("input", () => tell(slider.value / slider.max));
  slider.addEventListener("blur", leave);
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
  const rates = Object.values(gflops);
  const top = Math.max(...(rates.length ? rates : dots.map((dot) => dot.gflops)));
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
