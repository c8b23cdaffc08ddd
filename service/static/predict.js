// The form for predictions: chosen files and examples are stripped here, sent one by one, and shown on their page, or
// on the comparison where there are several.
import { ask, complain, made } from "./asking.js";
import { stripWeights, NotAModel } from "./strip.js";

const form = document.getElementById("predict");
const chosen = document.getElementById("chosen");
const status = document.getElementById("status");
const problem = document.getElementById("problem");
const submit = form.querySelector("button[type=submit]");
const comparing = form.dataset.compare !== undefined;
const LARGEST_FILE = 2 ** 31 - 1; // protobuf's own limit
const models = []; // {name, load: () => Promise<Uint8Array>, done: ids by the options that gave them}

function add(name, load) {
  models.push({ name, load, done: new Map() });
  show();
}

function remove(model) {
  models.splice(models.indexOf(model), 1);
  show();
}

function show() {
  problem.hidden = true;
  chosen.replaceChildren(...models.map((model) => {
    const item = made("li", "");
    const button = made("button", "Remove", { type: "button", class: "link", "aria-label": `Remove ${model.name}` });
    button.addEventListener("click", () => remove(model));
    item.append(made("span", model.name, { class: "name" }), button);
    return item;
  }));
}

function addFiles(files) {
  for (const file of files) add(file.name, async () => {
    if (file.size > LARGEST_FILE) throw new NotAModel(
      "The file is larger than 2 GiB, which a browser does not read. On the command line: archgauge predict FILE");
    return new Uint8Array(await file.arrayBuffer());
  });
}

const files = document.getElementById("files");
files.addEventListener("change", () => {
  addFiles(files.files);
  files.value = "";
});

const drop = document.getElementById("drop");
for (const type of ["dragenter", "dragover"]) document.addEventListener(type, (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
for (const type of ["dragleave", "drop"]) document.addEventListener(type, (event) => {
  event.preventDefault();
  if (type === "drop" || event.relatedTarget === null) drop.classList.remove("over");
  if (type === "drop") addFiles(event.dataTransfer.files);
});

for (const button of form.querySelectorAll("[data-example]")) button.addEventListener("click", () => {
  const name = button.dataset.example;
  add(name, async () => {
    const response = await fetch(`/examples/${encodeURIComponent(name)}`);
    if (!response.ok) throw new Error(`The example is not there (${response.status}).`);
    return new Uint8Array(await response.arrayBuffer());
  });
});

function options() {
  const data = new FormData(form);
  const dims = [...form.querySelectorAll("[data-dim]")].filter((input) => input.value);
  return {
    targets: data.getAll("target"),
    batch_size: data.get("batch_size") ? Number(data.get("batch_size")) : undefined,
    dims: Object.fromEntries(dims.map((input) => [input.dataset.dim, Number(input.value)])),
    strict: form.dataset.strict !== "false",
  };
}

/** Send one model; resolves to the id of its prediction, rejects with a problem document or an Error. */
async function predict(model, given) {
  const bytes = await model.load();
  const name = model.name.slice(0, 200);
  if (/^\s*\{/.test(new TextDecoder().decode(bytes.subarray(0, 64)))) {
    const architecture = { format: "graph", graph: parsed(new TextDecoder().decode(bytes)) };
    const body = JSON.stringify({ architecture, name, detail: "kernels", ...given });
    return (await ask("/v1/predictions", within(body))).id;
  }
  const query = new URLSearchParams({ name, detail: "kernels", strict: given.strict });
  for (const target of given.targets) query.append("target", target);
  for (const [dim, size] of Object.entries(given.dims)) query.append("dim", `${dim}=${size}`);
  if (given.batch_size) query.set("batch_size", given.batch_size);
  const body = within(stripWeights(bytes));
  return (await ask(`/v1/predictions/onnx?${query}`, body, "application/octet-stream")).id;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new NotAModel(`This is not a JSON graph: ${error.message}`);
  }
}

/** The body, which the server must not refuse for its size. */
function within(body) {
  const limit = Number(form.dataset.limit);
  if (body.length <= limit) return body;
  throw new NotAModel(
    `Even without weights this is ${(body.length / 1e6).toFixed(1)} MB, ` +
    `and this server takes ${(limit / 1e6).toFixed(1)} MB. ` +
    "On the command line there is no limit: archgauge predict FILE");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.hidden = true;
  if (!models.length) return complain(new Error("Choose a file or an example first."), "Something is missing");
  const given = options();
  if (!given.targets.length) return complain(new Error("Choose at least one target."), "Something is missing");
  submit.disabled = true;
  try {
    const same = JSON.stringify(given);
    for (const [index, model] of models.entries()) {
      status.textContent = models.length > 1 ? `Predicting ${index + 1} of ${models.length} …` : "Predicting …";
      try {
        if (!model.done.has(same)) model.done.set(same, await predict(model, given));
      } catch (error) {
        return explain(model, error);
      }
    }
    leave(models.map((model) => model.done.get(same)));
  } finally {
    submit.disabled = false;
    status.textContent = "";
  }
});

/** Go to the page of the predictions. */
function leave(ids) {
  const query = new URLSearchParams();
  const budget = new FormData(form);
  for (const name of ["ms", "mj", "mb"]) if (budget.get(name)) query.set(name, budget.get(name));
  if (ids.length === 1 && !comparing) {
    location.assign(`/predictions/${encodeURIComponent(ids[0])}${query.size ? `?${query}` : ""}`);
    return;
  }
  const axes = document.getElementById("axes"); // what is compared, with numbers that were typed though not sent yet
  if (comparing && axes) for (const [name, value] of new FormData(axes)) {
    if (value || name === "v") query.append(name, value);
  }
  for (const id of ids) query.append("p", id);
  location.assign(`/compare?${query}`);
}

/** Say what went wrong, and what can be done about it. */
function explain(model, error) {
  const more = [];
  if (error.operators) more.push(made("p", `Operators: ${error.operators.join(", ")}`));
  more.push(made("p", model.name, { class: "quiet small break" }));
  if (error.type?.endsWith(":unpriceable-kernels")) more.push(again("Predict what can be priced", () => {
    form.dataset.strict = "false";
  }));
  const batch = document.getElementById("batch");
  if (batch.value && error.detail?.includes("batch size")) more.push(again("Take the batch size of the file", () => {
    batch.value = "";
  }));
  if (models.length > 1) more.push(again("Leave it out", () => remove(model)));
  complain(error, "This could not be predicted", more);
  const dim = error.dimension && !error.dimension.endsWith("]") ? askFor(error.dimension) : null;
  dim?.scrollIntoView({ block: "nearest" });
  dim?.focus();
}

/** A button that changes something and sends the form again. */
function again(text, change) {
  const button = made("button", text, { type: "button" });
  button.addEventListener("click", () => {
    change();
    form.requestSubmit();
  });
  return button;
}

/** A field for a dimension without a size. */
function askFor(name) {
  const known = [...form.querySelectorAll("[data-dim]")].find((input) => input.dataset.dim === name);
  if (known) return known;
  const row = made("div", ""), label = made("label", `Size of the dimension “${name}”`);
  const input = made("input", "", { type: "number", min: "1", step: "1", inputmode: "numeric" });
  input.dataset.dim = name;
  input.id = label.htmlFor = `dim-${form.querySelectorAll("[data-dim]").length}`;
  row.append(label, input);
  document.getElementById("dims").append(row);
  return input;
}

// What shows predictions draws charts: their library may come while the form is filled in.
addEventListener("load", () => {
  const href = new URL("plotly.min.js", import.meta.url);
  document.head.append(made("link", "", { rel: "prefetch", as: "script", href }));
});
