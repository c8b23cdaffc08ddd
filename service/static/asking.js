// Asking the API, and saying what went wrong.

/** JSON of an address; rejects with the problem document. */
export async function ask(url, body) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers });
  const answer = await response.json();
  if (!response.ok) throw answer;
  return answer;
}

/** Show a problem document or an error in the element `problem`. */
export function complain(error) {
  const place = document.getElementById("problem");
  const detail = error.detail ?? error.message ?? String(error);
  place.replaceChildren(made("h3", error.title ?? "This did not work"), made("p", detail));
  if (error.known?.length) place.append(made("p", `There are: ${error.known.join(", ")}`));
  place.hidden = false;
}

/** An element with text and attributes. */
export function made(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
