// Keeps a part of a page as it is now: the server sends it anew whenever it changes.
// Elements that stay are changed in place, so that the focus, the selection and the place of scrolling stay too.

const place = document.querySelector("[data-live]");
const words = document.getElementById("connection");
const PATIENCE_MS = 4000; // before a connection that is made again is worth a word
const AGAIN_MS = 5000;
let source = null, doubt = null, over = false;

function follow() {
  if (over || source || document.hidden) return;
  source = new EventSource(place.dataset.live);
  source.addEventListener("view", (event) => {
    live();
    show(JSON.parse(event.data));
  });
  source.addEventListener("over", () => {
    over = true;
    leave();
    words.textContent = "";
    words.classList.remove("on");
  });
  source.addEventListener("open", live);
  source.addEventListener("error", () => {
    doubt ??= setTimeout(lost, PATIENCE_MS);
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    leave();
    setTimeout(follow, AGAIN_MS);
  });
}

function leave() {
  source?.close();
  source = null;
}

function live() {
  clearTimeout(doubt);
  doubt = null;
  words.textContent = "Live";
  words.classList.add("on");
}

function lost() {
  words.textContent = "The connection is lost; trying again. If you signed out, reload the page.";
  words.classList.remove("on");
}

function show(html) {
  const focused = document.activeElement;
  become(place, new DOMParser().parseFromString(`<div>${html}</div>`, "text/html").body.firstChild);
  if (focused === document.activeElement || focused === document.body) return;
  if (!focused.isConnected) place.tabIndex = -1; // what had the focus is gone: go on from here
  (focused.isConnected ? focused : place).focus();
}

/** Make the content of `old` that of `fresh`. */
function become(old, fresh) {
  const wanted = [...fresh.children];
  if (wanted.length && wanted.every((element) => element.id)) return order(old, wanted);
  const nodes = [...fresh.childNodes];
  nodes.forEach((node, index) => {
    const here = old.childNodes[index];
    if (!here) old.append(node);
    else if (here.nodeName !== node.nodeName || here.id !== node.id) here.replaceWith(node);
    else change(here, node);
  });
  while (old.childNodes.length > nodes.length) old.lastChild.remove();
}

/** Rows that have ids are known by them, wherever they are. */
function order(old, wanted) {
  const ids = new Set(wanted.map((element) => element.id));
  for (const child of [...old.children]) if (!ids.has(child.id)) child.remove();
  wanted.forEach((element, index) => {
    const here = old.children[index];
    const known = [...old.children].find((child) => child.id === element.id);
    if (known !== here || !known) old.insertBefore(known ?? element, here ?? null);
    if (known) change(known, element);
  });
}

function change(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  become(old, fresh);
}

document.addEventListener("visibilitychange", () => (document.hidden ? leave() : follow()));
follow();
