// Buttons that pause, resume and cancel campaigns. What came of it is seen at once: the page is live.
import { ask, complain } from "./asking.js";

const dialog = document.getElementById("confirm");

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-turn]");
  if (!button || button.ariaBusy === "true") return;
  const { turn, campaign } = button.dataset;
  if (turn === "cancel" && !(await confirmed())) return;
  document.getElementById("problem").hidden = true;
  button.ariaBusy = "true";
  try {
    await ask(`/v1/campaigns/${encodeURIComponent(campaign)}/${turn}`, {});
  } catch (error) {
    complain(error);
  }
  button.ariaBusy = null;
});

function confirmed() {
  document.getElementById("confirm-text").textContent =
    "Cancel this campaign? It cannot go on afterwards. What was measured is kept, but nothing is trained on it.";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => {
      if (dialog.open) return; // opened again, before it was told that it had been closed
      dialog.removeEventListener("close", closed);
      resolve(dialog.returnValue === "yes");
    };
    dialog.addEventListener("close", closed);
  });
}
