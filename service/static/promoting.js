// Promoting a predictor, or going back to an older one, after asking.
import { ask } from "./asking.js";

const dialog = document.getElementById("confirm");
const status = document.getElementById("status");
const note = document.getElementById("note");
for (const button of document.querySelectorAll("[data-promote]")) button.addEventListener("click", () => {
  const version = button.dataset.promote;
  document.getElementById("confirm-text").textContent = `Let ${version} answer for this target from now on?`;
  dialog.returnValue = note.value = "";
  dialog.showModal();
  const closed = () => dialog.returnValue === "yes" && promote(version, button.dataset.target);
  dialog.addEventListener("close", closed, { once: true });
});

async function promote(version, target) {
  status.textContent = "Promoting …";
  const query = new URLSearchParams({ target });
  try {
    await ask(`/v1/predictors/${encodeURIComponent(version)}/promote?${query}`, note.value ? { note: note.value } : {});
  } catch (problem) {
    status.textContent = problem.detail ?? problem.title;
    return;
  }
  location.assign(location.pathname);
}
