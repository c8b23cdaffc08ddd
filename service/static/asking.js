// Asking the API, and saying what went wrong.

/** JSON of an address, or the answer to bytes, text or data that are sent there; rejects with a problem document. */
export async function ask(url, body, type = "application/json") {
  const plain = body === undefined || typeof body === "string" || body instanceof Uint8Array;
  const sent = { method: "POST", body: plain ? body : JSON.stringify(body), headers: { "content-type": type } };
  let response;
  try {
    response = await fetch(url, body === undefined ? {} : sent);
  } catch {
    const detail = "It was stopped, or the connection to it is lost. Try again.";
    throw { title: "The server does not answer", detail };
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  throw answer ?? { status: response.status, detail: `The server answered with the status ${response.status}.` };
}

/** Show a problem document or an error in the element `problem`; `more` are elements to show below. */
export function complain(error, title = "This did not work", more = []) {
  const place = document.getElementById("problem");
  const parts = [made("h2", error.title ?? title), made("p", error.detail ?? error.message ?? String(error))];
  for (const one of error.errors ?? []) parts.push(made("p", `${one.location}: ${one.message}`));
  if (error.known?.length) parts.push(made("p", `There are: ${error.known.join(", ")}`));
  if (error.status === 401 || error.status === 403) {
    const next = new URLSearchParams({ next: location.pathname + location.search });
    parts.push(made("a", "Sign in", { href: `/sign-in?${next}` }));
  }
  place.replaceChildren(...parts, ...more);
  place.hidden = false;
  place.scrollIntoView({ block: "nearest" });
}

/** An element with text and attributes. */
export function made(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
