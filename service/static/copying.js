// Buttons that copy: a command beside them, or the address of the page.

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no permission, or not over https
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1500);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => copy(button, button.parentElement.querySelector("code").textContent));
}
for (const button of document.querySelectorAll("[data-copy-link]")) {
  button.addEventListener("click", () => copy(button, location.href));
}
