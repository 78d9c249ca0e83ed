// Placeholders of talking points: a click puts one where the cursor was, and those in use are marked.

const chips = [...document.querySelectorAll("[data-crm-placeholder]")];
const fields = [...document.querySelectorAll("[data-crm-points]")];
let current = fields[0];

function mark() {
  const text = fields.map((field) => field.value).join("\n");
  for (const chip of chips) {
    const isUsed = text.includes(chip.dataset.crmPlaceholder);
    chip.classList.toggle("crm-chip-blue", isUsed);
    chip.setAttribute("aria-pressed", String(isUsed));
  }
}

for (const field of fields) {
  field.addEventListener("focus", () => { current = field; });
  field.addEventListener("input", mark);
}

for (const chip of chips) {
  chip.addEventListener("click", () => {
    if (!current) return;
    current.setRangeText(chip.dataset.crmPlaceholder, current.selectionStart, current.selectionEnd, "end");
    current.focus();
    mark();
  });
}

mark();
