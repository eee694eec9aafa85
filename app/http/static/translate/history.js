// What was translated before: in this browser only, and only if the person likes.

import { keep, kept, make, part, t } from "../lib.js";

const MOST = 50, MAX_CHARS = 2000, SETTLED_MS = 2000;

const wanted = () => !kept("no-history");
const past = () => kept("history", []);
let timer = 0, fill = () => {};

// Keep `entry` once nothing newer came for a while: half a sentence is not worth it.
export function remember(entry) {
  clearTimeout(timer);
  if (!wanted() || entry.text.length > MAX_CHARS) return;
  timer = setTimeout(() => {
    const others = past().filter(({ text }) => text !== entry.text && !entry.text.startsWith(text));
    keep("history", [entry, ...others].slice(0, MOST));
    showHistory();
  }, SETTLED_MS);
}

function showHistory() {
  const list = past();
  part("history-clear").disabled = !list.length;
  part("history").replaceChildren(...(list.length ? list : [null]).map((one) => make("li", {}, one
    ? make("button", { type: "button", class: "plain grow", onclick: () => { fill({ text: one.text, source: one.source, target: one.target, format: "text" }); scrollTo(0, 0); } },
      one.text.slice(0, 120), make("span", { class: "soft", lang: one.target }, ` → ${one.translation.slice(0, 120)}`))
    : t("empty"))));
}

function forget() {
  clearTimeout(timer);
  keep("history", null);
  showHistory();
}

export function watchHistory(set) {
  fill = set;
  part("history-keep").checked = wanted();
  part("history-keep").addEventListener("change", ({ target }) => {
    keep("no-history", target.checked ? null : true);
    if (!target.checked) forget();
  });
  part("history-clear").addEventListener("click", forget);
  showHistory();
}
