// The chart of a comparison: one colour per target, the models on its front joined by a line.
import { axis, colour, COLOURS, digits, draw, plain } from "./charts.js";

const place = document.getElementById("scatter");
const shown = JSON.parse(place?.dataset.points ?? "[]").filter((p) => p.x !== null && p.y !== null);

if (place) draw("scatter", () => {
  const targets = [...new Set(shown.map((p) => p.target))];
  const data = targets.flatMap((target, index) => {
    const mine = shown.filter((p) => p.target === target);
    const shade = colour(index % COLOURS);
    const front = mine.filter((p) => p.front).sort((a, b) => a.x - b.x || a.y - b.y);
    return [line(front, shade), dots(mine, target, shade)];
  });
  const margin = { rangemode: "tozero" };
  return {
    data, layout: {
      hovermode: "closest", showlegend: targets.length > 1,
      xaxis: axis(plain(place.dataset.x), margin), yaxis: axis(plain(place.dataset.y)),
    },
  };
});

function line(front, shade) {
  return {
    x: front.map((p) => p.x), y: front.map((p) => p.y), mode: "lines", hoverinfo: "skip", showlegend: false,
    line: { color: shade, width: 1.5, dash: "dot" },
  };
}

const largest = { x: Math.max(...shown.map((p) => p.x)), y: Math.max(...shown.map((p) => p.y)) };
const NEAR = 0.1; // of the chart

/** Names stand on the side on which there is room: of two points that are near each other the lower one's is below. */
function besides(point) {
  const share = point.x / largest.x;
  const apart = (other, axis) => Math.abs(other[axis] - point[axis]) / largest[axis];
  const near = (other) => Math.max(apart(other, "x"), apart(other, "y")) < NEAR;
  const crowded = shown.some((other, index) => other !== point && near(other)
    && (other.y > point.y || (other.y === point.y && index > shown.indexOf(point))));
  return `${crowded ? "bottom" : "top"} ${share > 0.75 ? "left" : share < 0.25 ? "right" : "center"}`;
}

function dots(points, target, shade) {
  const known = points.every((p) => p.lower !== null && p.upper !== null);
  const interval = {
    type: "data", symmetric: false, color: shade, thickness: 1, width: 3,
    array: points.map((p) => p.upper - p.x), arrayminus: points.map((p) => p.x - p.lower),
  };
  return {
    name: plain(target), mode: points.length > 40 ? "markers" : "markers+text", cliponaxis: false,
    x: points.map((p) => p.x), y: points.map((p) => p.y),
    text: points.map((p) => plain(p.model)), textposition: points.map(besides), textfont: { size: 11 },
    hovertemplate: points.map((p) => `${[
      plain(p.model), `${plain(place.dataset.x)}: ${digits(p.x)}`, `${plain(place.dataset.y)}: ${digits(p.y)}`,
      ...(p.front ? ["on the front"] : []),
    ].join("<br>")}<extra></extra>`),
    marker: {
      color: shade, size: 10, symbol: points.map((p) => (p.front ? "circle" : "circle-open")),
      line: { color: shade, width: 1.5 },
    },
    error_x: known ? interval : { visible: false },
  };
}
