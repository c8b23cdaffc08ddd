// The form that starts a campaign: models lose their weights here, before anything is sent.
import { ask, complain } from "./asking.js";
import { NotAModel, stripWeights } from "./strip.js";

const form = document.getElementById("start");
const status = document.getElementById("starting");
const files = document.getElementById("models");

function fitGoal() {
  const goal = new FormData(form).get("goal");
  for (const part of form.querySelectorAll("[data-goal]")) {
    part.hidden = part.dataset.goal !== goal;
    for (const field of part.querySelectorAll("input, select")) field.disabled = part.hidden;
  }
  files.required = goal === "measure";
}

/** An architecture as the API takes it. */
async function architecture(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (/^\s*\{/.test(new TextDecoder().decode(bytes.subarray(0, 64)))) {
    return { format: "graph", graph: JSON.parse(new TextDecoder().decode(bytes)) };
  }
  return { format: "onnx", onnx: base64(stripWeights(bytes)) };
}

function base64(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; at += 0x8000) {
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 0x8000)));
  }
  return btoa(parts.join(""));
}

async function request() {
  const data = new FormData(form), learn = data.get("goal") === "learn";
  const architectures = [];
  for (const file of files.files) {
    status.textContent = `Reading ${file.name} …`;
    architectures.push(await architecture(file));
  }
  const common = {
    target: data.get("target"), name: data.get("name").trim(), goal: data.get("goal"), architectures,
    budget_s: 60 * Number(data.get("minutes")),
  };
  if (!learn) return common;
  return {
    ...common, rounds: Number(data.get("rounds")), search_space: data.get("space") || null,
    kernel_kinds: data.getAll("kind"), precisions: data.getAll("precision"),
    promote: data.has("promote") ? "unless_worse" : "never",
  };
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  document.getElementById("problem").hidden = true;
  const submit = form.querySelector("button[type=submit]");
  submit.disabled = true;
  try {
    const body = await request(), limit = Number(form.dataset.limit);
    if (JSON.stringify(body).length > limit) throw new NotAModel(
      `Even without weights these models are more than the ${(limit / 1e6).toFixed(1)} MB that this server takes.`);
    status.textContent = "Starting …";
    const { id } = await ask("/v1/campaigns", body);
    location.assign(`/campaigns/${encodeURIComponent(id)}`);
  } catch (error) {
    complain(error);
    status.textContent = "";
    submit.disabled = false;
  }
});

form.addEventListener("change", fitGoal);
fitGoal();
