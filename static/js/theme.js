// Runs before the page is painted, so that a dark room sees no white flash. Chosen themes come from the server;
// "auto" follows the device.
(() => {
  const root = document.documentElement;
  if (root.dataset.crmTheme !== "auto") return;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => { root.dataset.bsTheme = dark.matches ? "dark" : "light"; };
  apply();
  dark.addEventListener("change", apply);
})();
