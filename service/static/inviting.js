// A one-time token for a device, and the command to type there.
import { ask, complain } from "./asking.js";

const form = document.getElementById("invite");
const place = document.getElementById("invited");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  document.getElementById("problem").hidden = true;
  const name = new FormData(form).get("name").trim();
  try {
    const { token } = await ask("/v1/agents/enrolments", { name });
    place.hidden = false;
    document.getElementById("invited-words").textContent = `On ${name}:`;
    place.querySelector("code").textContent = `archgauge agent --server ${form.dataset.server} --token ${token}`;
    form.reset();
  } catch (error) {
    complain(error);
  }
});
