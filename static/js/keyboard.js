// Keys of every page (screens.md): "/" search, "g" and a letter to go, "j" and "k" rows, "Enter" open, "?" the list.
// Rows are elements with data-crm-row; a row's link to open carries data-crm-open.

let isGoing = false;
let goingTimer;

function isTyping(target) {
  return target.closest("input, textarea, select, [contenteditable]") !== null;
}

function moveRow(step) {
  const rows = [...document.querySelectorAll("[data-crm-row]")];
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[at === -1 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1)];
  const stop = row.querySelector("[data-crm-open]") || row.querySelector("a, button, input");
  if (stop) {
    stop.focus();
    row.scrollIntoView({ block: "nearest" });
  }
}

function go(letter) {
  const link = document.querySelector(`[data-crm-go="${CSS.escape(letter)}"]`);
  if (link) window.location.assign(link.href);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  if (isGoing) {
    isGoing = false;
    clearTimeout(goingTimer);
    event.preventDefault();
    event.stopImmediatePropagation();
    go(event.key);
    return;
  }
  if (event.key === "/") {
    const box = document.getElementById("crm-search");
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === "g") {
    isGoing = true;
    goingTimer = setTimeout(() => { isGoing = false; }, 1500);
  } else if (event.key === "j") {
    moveRow(1);
  } else if (event.key === "k") {
    moveRow(-1);
  } else if (event.key === "?") {
    document.querySelector("[data-crm-keys]")?.showModal();
  }
});

// A click anywhere on a row opens it, unless it hit something of its own or text is being marked.
document.addEventListener("click", (event) => {
  const row = event.target.closest("[data-crm-row]");
  if (!row || event.target.closest("a, button, input, select, label, summary, form")) return;
  if (window.getSelection().toString()) return;
  row.querySelector("[data-crm-open]")?.click();
});
