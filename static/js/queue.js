// The guided queue and the pages around it: keys, the lease's countdown, the draft that survives, and where the focus
// goes when the next card comes. Everything here makes faster what already works without it.

const DRAFT_PREFIX = "crm-draft:";
const DRAFT_HOURS = 24;
let typedAt = 0;
let announced = null;

const queue = () => document.querySelector("[data-crm-queue]");
const form = () => document.querySelector("[data-crm-draft]");

function isTyping(target) {
  if (target.closest("textarea, select, [contenteditable]")) return true;
  const input = target.closest("input");
  return input !== null && !["radio", "checkbox"].includes(input.type);
}

// --- Drafts: what was entered outlives a lost connection, a closed tab and a session that ended ------------------------

// Everything that one can enter, the ticks beside the form included. Names and numbers of other people are left out:
// they are not kept on a computer that colleagues share.
function fieldsOf(card) {
  return [...card.elements].filter(
    (field) => field.name && field.type !== "hidden" && field.type !== "submit" && !("crmNoDraft" in field.dataset),
  );
}

const isChoice = (field) => field.type === "radio" || field.type === "checkbox";
const nameOf = (field) => (isChoice(field) ? `${field.name}=${field.value}` : field.name);
const valueOf = (field) => (isChoice(field) ? field.checked : field.value);

function startOf(field) {
  if (isChoice(field)) return field.defaultChecked;
  if (field.tagName !== "SELECT") return field.defaultValue;
  return ([...field.options].find((option) => option.defaultSelected) || field.options[0])?.value ?? "";
}

function keepDraft() {
  const card = form();
  if (!card) return;
  const fields = fieldsOf(card);
  const key = DRAFT_PREFIX + card.dataset.crmDraft;
  // A form that came back with mistakes starts with what was entered.
  if ("crmTyped" in card.dataset || fields.some((field) => valueOf(field) !== startOf(field))) {
    const values = Object.fromEntries(fields.map((field) => [nameOf(field), valueOf(field)]));
    localStorage.setItem(key, JSON.stringify({ at: Date.now(), fields: values }));
  } else {
    localStorage.removeItem(key);
  }
}

function forgetDraft(name) {
  localStorage.removeItem(DRAFT_PREFIX + name);
}

// Nobody's words stay on a shared computer longer than a day.
function forgetOldDrafts() {
  const oldest = Date.now() - DRAFT_HOURS * 3600 * 1000;
  for (const key of Object.keys(localStorage).filter((name) => name.startsWith(DRAFT_PREFIX))) {
    const draft = JSON.parse(localStorage.getItem(key));
    if (!draft?.fields || !(draft.at > oldest)) localStorage.removeItem(key);
  }
}

function restoreDraft() {
  const card = form();
  // A form that came back with mistakes carries what was typed itself.
  if (!card || "crmTyped" in card.dataset) return;
  const text = localStorage.getItem(DRAFT_PREFIX + card.dataset.crmDraft);
  if (!text) return;
  const values = JSON.parse(text).fields;
  for (const field of fieldsOf(card)) {
    const value = values[nameOf(field)];
    // A reason that has come up since then is ticked as the page has it.
    if (value === undefined || field.disabled) continue;
    if (isChoice(field)) field.checked = value;
    else field.value = value;
  }
  card.querySelector("[data-crm-restored]").hidden = false;
}

// --- The lease: how long the customer is kept --------------------------------------------------------------------------

function showLease() {
  const lease = document.querySelector("[data-crm-lease]");
  if (!lease) return;
  const left = Math.floor((new Date(lease.dataset.crmLease) - Date.now()) / 1000);
  // Whoever is typing keeps the customer without asking.
  if (left > 0 && left < 60 && Date.now() - typedAt < 120000 && !lease.dataset.asked) {
    lease.dataset.asked = "1";
    document.querySelector("[data-crm-keep]")?.requestSubmit();
  }
  if (left <= 0) {
    lease.textContent = lease.dataset.over;
    lease.classList.add("wk-lease-over");
    return;
  }
  const minutes = Math.floor(left / 60);
  const seconds = String(left % 60).padStart(2, "0");
  lease.textContent = `${lease.dataset.words} ${minutes}:${seconds}`;
}

// --- A new card ------------------------------------------------------------------------------------------------------

function arrive({ isSwapped }) {
  const card = queue();
  if (!card) return;
  if (card.dataset.crmSaved && announced !== card) {
    announced = card;
    forgetDraft(card.dataset.crmSaved);
    const live = document.querySelector("[data-crm-live]");
    if (live) live.textContent = card.dataset.crmSaid;
  }
  for (const times of card.querySelectorAll("[data-crm-times]")) times.hidden = false;
  restoreDraft();
  showLease();
  if (!isSwapped) return;
  const wrong = card.querySelector(".wk-error, [role='alert']");
  const target = wrong
    ? card.querySelector(".wk-field:has(.wk-error) :is(input, select, textarea)") ||
      card.querySelector("#queue-form input[name='outcome']") ||
      card.querySelector("[role='alert'][tabindex]")
    : card.querySelector("[data-crm-focus]");
  target?.focus({ preventScroll: !wrong });
}

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "queue" || event.detail.target?.id === "queue") arrive({ isSwapped: true });
  else showLease();
  // On a phone the number is dialled at once; at a desk it is read or copied.
  const dial = document.querySelector("[data-crm-phone] [data-crm-dial]:not([data-shown])");
  if (!dial) return;
  dial.dataset.shown = "1";
  dial.focus();
  if (window.matchMedia("(pointer: coarse)").matches) dial.click();
});

// A session that ended answers with the sign-in page: go there, and come back to this card with the draft.
document.addEventListener("htmx:beforeSwap", (event) => {
  const card = queue();
  const address = event.detail.xhr.responseURL;
  if (!card || !address) return;
  if (event.detail.xhr.status === 403) {
    // Signed in anew elsewhere, or no longer allowed: the page itself knows which; the draft waits for it.
    event.detail.shouldSwap = false;
    keepDraft();
    window.location.reload();
    return;
  }
  const login = new URL(card.dataset.loginUrl || "/accounts/login/", window.location.href);
  if (new URL(address).pathname !== login.pathname) return;
  event.detail.shouldSwap = false;
  keepDraft();
  login.searchParams.set("next", window.location.pathname + window.location.search);
  window.location.assign(login);
});

// --- What is typed and ticked ------------------------------------------------------------------------------------------

document.addEventListener("input", (event) => {
  if (!event.target.form?.matches("[data-crm-draft]")) return;
  typedAt = Date.now();
  keepDraft();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-crm-forget]")) {
    const card = form();
    forgetDraft(card.dataset.crmDraft);
    card.reset();
    card.querySelector("[data-crm-restored]").hidden = true;
    document.querySelector("[data-crm-focus]")?.focus();
  }
  if (event.target.closest("[data-crm-show-keys]")) document.querySelector("[data-crm-keys]")?.showModal();
  const proposed = event.target.closest("[data-crm-day]");
  if (proposed) {
    const panel = proposed.closest(".wk-panel");
    panel.querySelector("input[type='date']").value = proposed.dataset.crmDay;
    panel.querySelector("input[type='time']").value = proposed.dataset.crmClock;
    for (const other of panel.querySelectorAll("[data-crm-day]")) other.ariaPressed = String(other === proposed);
    keepDraft();
  }
  const all = event.target.closest("[data-crm-tick-all]");
  if (all) {
    const boxes = [...document.querySelectorAll(`input[type="checkbox"][form="${all.form.id}"]`)];
    const isOn = boxes.some((box) => !box.checked);
    for (const box of boxes) box.checked = isOn;
  }
});

// --- Keys --------------------------------------------------------------------------------------------------------------

function chooseOutcome(digit) {
  const choice = document.querySelector(`[data-crm-digit="${digit}"]`);
  if (!choice) return false;
  choice.checked = true;
  choice.dispatchEvent(new Event("input", { bubbles: true }));
  const panel = [...document.querySelectorAll("#queue-form .wk-panel")].find((part) => part.offsetParent !== null);
  (panel?.querySelector("button, input, select, textarea") || choice).focus();
  return true;
}

function openSkip() {
  const box = document.getElementById("queue-skip");
  if (!box) return false;
  box.showPopover();
  box.querySelector("button")?.focus();
  return true;
}

function press(selector) {
  const button = document.querySelector(selector);
  button?.click();
  return Boolean(button);
}

function focusNote() {
  const note = document.querySelector("#queue-form textarea");
  note?.focus();
  return Boolean(note);
}

const KEYS = { s: openSkip, n: focusNote, c: () => press("[data-crm-call]") };

document.addEventListener("keydown", (event) => {
  if (event.isComposing || document.querySelector("dialog[open]")) return;
  const card = form();
  if (card && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    card.requestSubmit();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && isTyping(event.target) && queue()) {
    document.querySelector("[data-crm-focus]")?.focus();
    return;
  }
  if (event.key === "Enter" && (event.target === document.body || event.target.matches("main, h1"))) {
    if (press("[data-crm-start]")) event.preventDefault();
    return;
  }
  if (isTyping(event.target) || event.target.closest("[popover]") || !queue()) return;
  const isDone = /^[1-9]$/.test(event.key) ? chooseOutcome(event.key) : KEYS[event.key]?.();
  if (isDone) event.preventDefault();
});

const ownKeys = document.querySelector("template[data-crm-own-keys]");
if (ownKeys) document.querySelector("[data-crm-page-keys]")?.append(ownKeys.content.cloneNode(true));
for (const button of document.querySelectorAll("[data-crm-tick-all]")) button.hidden = false;
forgetOldDrafts();
arrive({ isSwapped: false });
setInterval(showLease, 1000);
