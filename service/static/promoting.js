// Promoting a predictor, or going back to an older one, after asking.

const dialog = document.getElementById("confirm");
const status = document.getElementById("status");
for (const button of document.querySelectorAll("[data-promote]")) button.addEventListener("click", () => {
  const version = button.dataset.promote;
  document.getElementById("confirm-text").textContent = `Let ${version} answer for this target from now on?`;
  dialog.returnValue = "";
  dialog.showModal();
  const closed = () => dialog.returnValue === "yes" && promote(version, button.dataset.target);
  dialog.addEventListener("close", closed, { once: true });
});

async function promote(version, target) {
  status.textContent = "Promoting …";
  const query = new URLSearchParams({ target });
  const response = await fetch(`/v1/predictors/${encodeURIComponent(version)}/promote?${query}`, { method: "POST" });
  if (response.ok) return location.assign(location.pathname);
  const problem = await response.json();
  status.textContent = problem.detail ?? problem.title;
}
