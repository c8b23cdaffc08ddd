// The form for predictions: chosen files and examples are stripped here, sent one by one, and shown on their page, or
// on the comparison where there are several.
import { stripWeights, NotAModel } from "./strip.js";

const form = document.getElementById("predict");
const chosen = document.getElementById("chosen");
const status = document.getElementById("status");
const problem = document.getElementById("problem");
const submit = form.querySelector("button[type=submit]");
const LARGEST_FILE = 2 ** 31 - 1; // protobuf's own limit
const models = []; // {name, load: () => Promise<Uint8Array>}

const element = (tag, text, attributes = {}) => {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

function add(name, load) {
  models.push({ name, load });
  problem.hidden = true;
  show();
}

function show() {
  chosen.replaceChildren(...models.map((model, index) => {
    const item = element("li", "");
    const remove = element("button", "Remove", { type: "button", class: "link", "aria-label": `Remove ${model.name}` });
    remove.addEventListener("click", () => {
      models.splice(index, 1);
      show();
    });
    item.append(element("span", model.name, { class: "name" }), remove);
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
async function predict(model, { targets, batch_size, dims, strict }) {
  const bytes = await model.load();
  const isGraph = /^\s*\{/.test(new TextDecoder().decode(bytes.subarray(0, 64)));
  const name = model.name.slice(0, 200);
  let url = "/v1/predictions", body, type = "application/json";
  if (isGraph) {
    const graph = JSON.parse(new TextDecoder().decode(bytes));
    const fields = { architecture: { format: "graph", graph }, name, targets, dims, strict, detail: "kernels" };
    body = JSON.stringify(batch_size ? { ...fields, batch_size } : fields);
  } else {
    body = stripWeights(bytes);
    type = "application/octet-stream";
    const query = new URLSearchParams({ name, detail: "kernels", strict });
    for (const target of targets) query.append("target", target);
    for (const [dim, size] of Object.entries(dims)) query.append("dim", `${dim}=${size}`);
    if (batch_size) query.set("batch_size", batch_size);
    url += `/onnx?${query}`;
  }
  const limit = Number(form.dataset.limit);
  if (body.length > limit) throw new NotAModel(
    `Even without weights this is ${(body.length / 1e6).toFixed(1)} MB, ` +
    `and this server takes ${(limit / 1e6).toFixed(1)} MB. ` +
    "On the command line there is no limit: archgauge predict FILE");
  const response = await fetch(url, { method: "POST", body, headers: { "content-type": type } });
  const answer = await response.json();
  if (!response.ok) throw answer;
  return answer.id;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.hidden = true;
  if (!models.length) return explain(null, new Error("Choose a file or an example first."));
  const given = options();
  if (!given.targets.length) return explain(null, new Error("Choose at least one target."));
  submit.disabled = true;
  const ids = [];
  try {
    for (const [index, model] of models.entries()) {
      status.textContent = models.length > 1 ? `Predicting ${index + 1} of ${models.length} …` : "Predicting …";
      try {
        ids.push(await predict(model, given));
      } catch (error) {
        return explain(model, error);
      }
    }
    leave(ids);
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
  if (ids.length === 1 && form.dataset.compare === undefined) {
    location.assign(`/predictions/${encodeURIComponent(ids[0])}${query.size ? `?${query}` : ""}`);
    return;
  }
  const all = form.dataset.compare === undefined ? query : new URLSearchParams(location.search);
  for (const id of ids) all.append("p", id);
  location.assign(`/compare?${all}`);
}

/** Say what went wrong, and what can be done about it. */
function explain(model, error) {
  const detail = error.detail ?? error.message ?? String(error);
  const parts = [element("h3", error.title ?? (model ? "This could not be predicted" : "Something is missing"))];
  if (model) parts.push(element("p", model.name, { class: "quiet small" }));
  parts.push(element("p", detail));
  for (const one of error.errors ?? []) parts.push(element("p", `${one.location}: ${one.message}`));
  if (error.operators) parts.push(element("p", `Operators: ${error.operators.join(", ")}`));
  if (error.type?.endsWith(":unpriceable-kernels")) parts.push(withoutStrict());
  if (error.status === 401 || error.status === 403) parts.push(element("a", "Sign in", { href: "/sign-in?next=/" }));
  problem.replaceChildren(...parts);
  problem.hidden = false;
  const dim = error.dimension && !error.dimension.endsWith("]") ? askFor(error.dimension) : null;
  (dim ?? problem).scrollIntoView({ block: "nearest" });
  dim?.focus();
}

function withoutStrict() {
  const button = element("button", "Predict what can be priced", { type: "button" });
  button.addEventListener("click", () => {
    form.dataset.strict = "false";
    form.requestSubmit();
  });
  return button;
}

/** A field for a dimension without a size. */
function askFor(name) {
  const known = [...form.querySelectorAll("[data-dim]")].find((input) => input.dataset.dim === name);
  if (known) return known;
  const row = element("div", ""), label = element("label", `Size of the dimension “${name}”`);
  const input = element("input", "", { type: "number", min: "1", step: "1", inputmode: "numeric" });
  input.dataset.dim = name;
  input.id = label.htmlFor = `dim-${form.querySelectorAll("[data-dim]").length}`;
  row.append(label, input);
  document.getElementById("dims").append(row);
  return input;
}
