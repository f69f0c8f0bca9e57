"use strict";
// Waits for the order to change, then shows the page as the server makes it; copies keys when asked.
const me = document.currentScript;
const shown = document.getElementById("state").dataset.state;
let pause = 400;
async function look() {
  try {
    const answer = await fetch(`/o/${me.dataset.id}/state`, { credentials: "same-origin", cache: "no-store" });
    if (answer.ok && (await answer.json()).state !== shown) return location.reload();
    pause = answer.status === 429 ? 5000 : Math.min(pause * 1.002, 2000);
  } catch { pause = 2000; }
  setTimeout(look, pause);
}
if (["pending", "owed", "held", "expired"].includes(shown)) setTimeout(look, pause);
// A token in the address would end up in histories and screenshots; the cookie has it.
if (location.search) history.replaceState(null, "", location.pathname);
for (const time of document.querySelectorAll("time")) {
  time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang);
}
// `shows` is what is selected instead where the browser allows no clipboard.
function copies(button, text, shows) {
  button.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text); }
    catch {
      const range = document.createRange();
      range.selectNodeContents(shows);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    button.textContent = me.dataset.copied;
  });
}
const single = [...document.querySelectorAll("[data-copy]")];
for (const button of single) copies(button, button.dataset.copy, button.previousElementSibling);
for (const button of document.querySelectorAll("[data-copy-all]")) {
  copies(button, single.map((one) => one.dataset.copy).join("\n"), document.querySelector("ol"));
}
