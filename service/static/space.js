// One search space on one target: wait until it is compiled, then show its table and draw architectures at random.
import { ask, complain, made } from "./asking.js";
import { axis, colour, digits, draw } from "./charts.js";

const SAMPLES = 5000;
const BINS = 50;
const SHADES = 8;

const place = document.getElementById("space");
const status = document.getElementById("status");
const id = place.dataset.space, target = place.dataset.target || null;
const query = target ? `?${new URLSearchParams({ target })}` : "";
const path = (end = "") => `/v1/search-spaces/${encodeURIComponent(id)}${end}${query}`;

/** The space, once it is compiled. */
async function compiled() {
  for (;;) {
    const space = await ask(path());
    if (space.status === "ready") return space;
    status.textContent = await waiting(space);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** What the job that compiles a space is doing; rejects where it came to nothing. */
async function waiting(space) {
  if (!space.job) return `Compiling for ${space.target} …`;
  const job = await ask(`/v1/jobs/${encodeURIComponent(space.job)}`);
  if (job.error) throw { title: "The space could not be compiled", detail: job.error };
  if (job.state === "queued") return `Waiting for a worker to compile it for ${space.target}: archgauge worker`;
  return `Compiling for ${space.target}: ${(100 * job.progress).toFixed(0)} %${job.words ? `, ${job.words}` : ""} …`;
}

function facts(space) {
  const error = space.additivity_error?.latency;
  const shown = [
    ["Layers", digits(space.layers.length)],
    ["Architectures", space.architectures === null ? count(space.encodings) : count(space.architectures)],
    ["Batch size", space.batch_size ?? 1],
    ["Off full predictions by", percent(error?.mean), error?.max == null ? "" : `at most ${percent(error.max)}`],
    ["Predictor", space.predictor, space.target],
  ];
  for (const [label, value, more] of shown) {
    const pair = made("div", ""), number = made("dd", value);
    if (more) number.append(made("small", more));
    pair.append(made("dt", label), number);
    document.getElementById("facts").append(pair);
  }
}

const percent = (share) => (share == null ? "–" : share < 1e-4 ? "under 0.01 %" : `${digits(100 * share)} %`);
const count = (value) => (value < 1e6 ? value.toLocaleString("en") : `10${superscript(Math.floor(Math.log10(value)))}`);
const superscript = (number) => String(number).replace(/./g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);

/** A table of the layers that have a choice; shades are steps between the smallest and the largest cost. */
function heat(table) {
  const layers = table.layers.filter((layer) => layer.choices.length > 1);
  const all = layers.flatMap((layer) => layer.latency_ms);
  const low = Math.min(...all), high = Math.max(...all);
  const names = layers[0]?.choices ?? [];
  const same = layers.every((layer) => layer.choices.every((choice, index) => names[index] === choice));
  const widest = Math.max(...layers.map((layer) => layer.choices.length));
  const head = made("tr", "");
  head.append(made("th", "Layer", { scope: "col" }));
  for (let i = 0; i < widest; i++) {
    head.append(made("th", same ? names[i] : `${i + 1}.`, { scope: "col", class: "number" }));
  }
  document.getElementById("heat-head").append(head);
  for (const layer of layers) {
    const row = made("tr", "");
    row.append(made("th", layer.name, { scope: "row" }));
    layer.latency_ms.forEach((ms, index) => {
      const shade = high > low ? Math.min(SHADES - 1, Math.floor((SHADES * (ms - low)) / (high - low))) : 0;
      const cell = made("td", entry(ms), { class: `number heat-${shade}` });
      if (!same) cell.append(made("span", layer.choices[index], { class: "small" }));
      row.append(cell);
    });
    document.getElementById("heat").append(row);
  }
  const others = table.layers.filter((layer) => layer.choices.length === 1);
  const rest = others.reduce((sum, layer) => sum + layer.latency_ms[0], table.fixed_latency_ms);
  const without = `layer${others.length > 1 ? "s" : ""} without a choice`;
  const whose = others.length ? ` or to the ${others.length} ${without}` : "";
  document.getElementById("fixed").textContent = `What belongs to no layer${whose} takes ${digits(rest)} ms.`
    + (table.error ? ` Sums lie ${digits(100 * table.error.mean)} % from predictions on average.` : "");
}

function entry(ms) {
  const text = ms.toLocaleString("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
  return text.replace("-", "−");
}

/** Random rows, priced by the server in one request. */
async function histogram(space) {
  const sizes = space.layers.map((layer) => layer.choices.length);
  const choices = Array.from({ length: SAMPLES }, () => sizes.map((size) => Math.floor(Math.random() * size)));
  const { latency_ms: latency } = await ask(path("/predictions").split("?")[0], { choices, target });
  const sorted = [...latency.value].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  document.getElementById("spread").textContent =
    `Of ${SAMPLES.toLocaleString("en")} architectures with choices drawn evenly, ` +
    `the fastest takes ${digits(sorted[0])}\u00a0ms, half at most ${digits(at(0.5))}\u00a0ms, ` +
    `the slowest ${digits(sorted.at(-1))}\u00a0ms.`;
  const width = (sorted.at(-1) - sorted[0]) / BINS || 1;
  const counts = new Array(BINS).fill(0);
  for (const value of sorted) counts[Math.min(BINS - 1, Math.floor((value - sorted[0]) / width))]++;
  draw("histogram", () => ({
    data: [{
      type: "bar", x: counts.map((_, i) => sorted[0] + (i + 0.5) * width), y: counts, width,
      marker: { color: colour(0) },
      hovertemplate: "%{y} architectures around %{x:.3~f} ms<extra></extra>",
    }],
    layout: {
      bargap: 0, showlegend: false, xaxis: axis("Latency, ms"), yaxis: axis("Architectures", { rangemode: "tozero" }),
    },
  }));
}

try {
  const space = await compiled();
  status.textContent = "";
  document.getElementById("name").textContent = space.name;
  document.getElementById("description").textContent = space.description.replaceAll("`", "");
  facts(space);
  place.hidden = false;
  heat(await ask(path("/lookup-table")));
  await histogram(space);
} catch (error) {
  status.textContent = "";
  complain(error);
}
