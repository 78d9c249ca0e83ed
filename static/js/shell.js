// The frame: menus close when one leaves them, the search list, copying, and what to say when a request fails.

const toast = document.querySelector("[data-crm-toast]");
let toastTimer;

function say(text) {
  if (!toast || !text) return;
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { toast.hidden = true; }, 6000);
}

// Menus are <details>: they open without JavaScript; with it they also close by themselves.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("[data-crm-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const search = document.querySelector("[data-crm-search]");
  if (search && !search.contains(event.target)) clearSearch();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("[data-crm-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  const search = document.querySelector("[data-crm-search]");
  if (search && search.contains(document.activeElement)) {
    clearSearch();
    document.activeElement.blur();
  }
});

function clearSearch() {
  const results = document.getElementById("crm-search-results");
  if (results) results.replaceChildren();
}

// A switch of language or appearance comes back to where one is now, not to where the page was first opened.
document.addEventListener("submit", (event) => {
  const way = event.target.querySelector("[data-crm-here]");
  if (way && history.state?.htmx) way.value = location.pathname + location.search;
});

// Arrow keys walk from the search box through what it found.
document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const search = event.target.closest && event.target.closest("[data-crm-search]");
  if (!search) return;
  const stops = [search.querySelector("input"), ...search.querySelectorAll("#crm-search-results a")];
  const next = stops[stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
  if (!next) return;
  event.preventDefault();
  next.focus();
});

// An empty box asks nothing of the server.
document.addEventListener("htmx:configRequest", (event) => {
  const box = event.target;
  if (box.id === "crm-search" && box.value.trim() === "") {
    event.preventDefault();
    clearSearch();
  }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-crm-copy]");
  if (!button) return;
  event.preventDefault();
  try {
    await navigator.clipboard.writeText(button.dataset.crmCopy);
    say(toast.dataset.copied);
  } catch {
    // Refused by the browser, or a site without encryption: there is no clipboard then.
    say(toast.dataset.notCopied);
  }
});

document.addEventListener("htmx:sendError", () => say(toast.dataset.offline));
document.addEventListener("htmx:timeout", () => say(toast.dataset.offline));
document.addEventListener("htmx:responseError", () => say(toast.dataset.failed));
// A session that ended answers with the sign-in page; do not paste it into a panel.
document.addEventListener("htmx:beforeSwap", (event) => {
  const address = event.detail.xhr.responseURL;
  if (address && new URL(address).pathname.startsWith("/accounts/login")) {
    event.detail.shouldSwap = false;
    say(toast.dataset.signedOut);
  }
});
