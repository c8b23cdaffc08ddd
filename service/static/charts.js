// What the charts have in common: colours from the style sheet, in dark and light, figures with units, and the library,
// which is loaded when a chart is about to be seen.

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const drawn = [];

export const COLOURS = 7;
export const colour = (index) => style(`plot-${index + 1}`);
export { style };

/** Three significant digits, with thousands separated. */
export function digits(value) {
  if (value === null || value === undefined) return "–";
  if (Math.abs(value) < 1e-6) return "0"; // what rounding left
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

/** Names come from models: nothing in them may be markup, which plotly.js understands in part. */
export const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** A kernel kind as people read it: `Conv`, or `Conv (nchwc)` where a domain tells operators of one name apart. */
export function operator(kind) {
  const [name, domain] = kind.split(".").reverse();
  return domain ? `${name} (${domain})` : name;
}

export function axis(title, more = {}) {
  return {
    title: { text: title, standoff: 8, font: { size: 12 } }, gridcolor: style("line"), linecolor: style("strong-line"),
    zeroline: false, ticks: "outside", tickcolor: style("line"), automargin: true, ...more,
  };
}

/**
 * Draw a chart when it comes near the window, and anew when the colour scheme changes: `make` returns {data, layout}
 * from what `load` resolves to.
 */
export async function draw(id, make, load = () => undefined) {
  const place = document.getElementById(id);
  if (!place) return;
  await near(place);
  try {
    const [loaded] = await Promise.all([load(), idle().then(plotly)]);
    const render = () => show(place, make(loaded));
    await (turn = turn.then(idle).then(render, render));
    drawn.push(render);
  } catch (error) {
    place.dataset.wait = "This chart could not be drawn; load the page again.";
    throw error;
  }
}

/** Resolves when the page has loaded and an element is in the window, or nearly. */
async function near(place) {
  if (document.readyState !== "complete") await new Promise((go) => addEventListener("load", go, { once: true }));
  await new Promise((go) => {
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      go();
    }, { rootMargin: "300px" });
    observer.observe(place);
  });
}

/** Charts are drawn one after the other, and whoever clicks or types in between comes first. */
let turn = Promise.resolve();

function idle() {
  const later = globalThis.requestIdleCallback ?? ((go) => setTimeout(go, 50));
  return new Promise((go) => { later(go, { timeout: 200 }); });
}

let library;

/** plotly.js, which is larger than everything else together. */
function plotly() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("plotly.min.js", import.meta.url);
    script.onload = resolve;
    script.onerror = () => reject(new Error("plotly.js could not be loaded"));
    document.head.append(script);
  });
  return library;
}

function show(place, { data, layout }) {
  const font = { family: getComputedStyle(document.body).fontFamily, size: 12, color: style("quiet") };
  Plotly.react(place, data, {
    margin: { l: 8, r: 8, t: 8, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font,
    hoverlabel: {
      bgcolor: style("raised"), bordercolor: style("strong-line"), align: "left",
      font: { ...font, color: style("text") },
    },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 12 } }, dragmode: false, ...layout,
  }, { displayModeBar: false, responsive: true });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach((render) => render()));
