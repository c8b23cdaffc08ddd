// The list of search spaces.
import { ask, complain, made } from "./asking.js";

const address = (space) => `/search-spaces/${encodeURIComponent(space)}`;

try {
  const { ready, search_spaces: sent } = await ask("/v1/search-spaces");
  const tiles = document.getElementById("ready");
  for (const name of ready) {
    const item = made("li", "");
    item.append(made("a", name, { href: address(name) }));
    tiles.append(item);
  }
  tiles.removeAttribute("aria-busy");
  for (const space of sent) {
    const row = made("tr", ""), head = made("th", "", { scope: "row" });
    head.append(made("a", space.name, { href: address(space.id) }));
    row.append(head, made("td", space.id), made("td", space.created_at.slice(0, 16).replace("T", " ")));
    document.getElementById("sent").append(row);
  }
  document.getElementById("sent-section").hidden = !sent.length;
} catch (error) {
  complain(error);
}
