"use strict";
// Waits for the order to change, then shows the page as the server makes it; goes to pay and copies keys when asked.
const me = document.currentScript;
const state = document.getElementById("state");
const shown = state.dataset.state;
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
// A way to pay that leads nowhere any more is opened anew by a click, which the page then offers.
if (state.dataset.ages) setTimeout(() => location.reload(), Math.min(Number(state.dataset.ages), 2 ** 31 - 1));
// A token in the address would end up in histories and screenshots; the cookie has it. The browsers inside other programs
// hand a page over to another browser, which has no cookie: there it stays until the keys are here.
const asked = new URLSearchParams(location.search);
const inside = /MicroMessenger|QQ\/|AlipayClient|DingTalk|Weibo|FBA[NV]|Instagram|Line\//.test(navigator.userAgent);
if (!inside || shown === "delivered") asked.delete("token");
asked.delete("go");
history.replaceState(null, "", String(asked) ? `?${asked}` : location.pathname);
const go = document.querySelector("a[data-go]");
if (go) location.assign(go.href);
// One click is one payment; whoever comes back may click again.
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });
}
addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });
for (const time of document.querySelectorAll("time")) {
  time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang);
}
// What is copied is the text itself, never what is shown of it. Plain http and many browsers inside other programs have no
// clipboard for pages: there a selected text is copied, and where that is refused too, whoever reads this does it.
const hand = document.getElementById("by-hand");
async function copied(text) {
  const [hint, box] = hand.children;
  hand.hidden = hint.hidden = true;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { /* Another way, below. */ }
  box.value = text;
  hand.hidden = false;
  box.focus();
  box.setSelectionRange(0, text.length);
  let done = false;
  try { done = document.execCommand("copy"); } catch { /* As refused. */ }
  hand.hidden = done;
  hint.hidden = false;
  return done;
}
const single = [...document.querySelectorAll("[data-copy]")];
const every = [...document.querySelectorAll("[data-copy-all]")];
const texts = new Map(single.map((button) => [button, button.dataset.copy]));
for (const button of every) texts.set(button, single.map((one) => one.dataset.copy).join("\n"));
const labels = new Map([...texts.keys()].map((button) => [button, button.textContent]));
for (const [button, text] of texts) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const done = await copied(text);
    if (done) button.focus();
    // Only one text is in the clipboard.
    for (const [other, label] of labels) other.textContent = done && other === button ? me.dataset.copied : label;
  });
}
