// What was translated before: in this browser only, and only if the person likes.

import { make, part, t } from "../lib.js";

const KEPT = "traghetto.history", OFF = "traghetto.no-history", MOST = 50, MAX_CHARS = 2000, SETTLED_MS = 2000;

const wanted = () => localStorage.getItem(OFF) === null;
const kept = () => JSON.parse(localStorage.getItem(KEPT) ?? "[]");
let timer = 0, fill = () => {};

// Keep `entry` once nothing newer came for a while: half a sentence is not worth it.
export function remember(entry) {
  clearTimeout(timer);
  if (!wanted() || entry.text.length > MAX_CHARS) return;
  timer = setTimeout(() => {
    const others = kept().filter(({ text }) => text !== entry.text && !entry.text.startsWith(text));
    localStorage.setItem(KEPT, JSON.stringify([entry, ...others].slice(0, MOST)));
    showHistory();
  }, SETTLED_MS);
}

function showHistory() {
  const list = kept();
  part("history-clear").disabled = !list.length;
  part("history").replaceChildren(...(list.length ? list : [null]).map((one) => make("li", {}, one
    ? make("button", { type: "button", class: "plain grow", onclick: () => { fill({ text: one.text, source: one.source, target: one.target, format: "text" }); scrollTo(0, 0); } },
      one.text.slice(0, 120), make("span", { class: "soft", lang: one.target }, ` → ${one.translation.slice(0, 120)}`))
    : t("empty"))));
}

function forget() {
  clearTimeout(timer);
  localStorage.removeItem(KEPT);
  showHistory();
}

export function watchHistory(set) {
  fill = set;
  part("history-keep").checked = wanted();
  part("history-keep").addEventListener("change", ({ target }) => {
    if (target.checked) localStorage.removeItem(OFF);
    else { localStorage.setItem(OFF, "1"); forget(); }
  });
  part("history-clear").addEventListener("click", forget);
  showHistory();
}
