// Two versions on a sentence of one's own, side by side.
import { call, make, part, shownDifference, t } from "../lib.js";
import { short } from "./pictures.js";

const [first, second] = [part("first"), part("second")];
let pair = "";
let turn = 0;

// Which versions can be compared; `one` and `other` are chosen, unless somebody has chosen already.
export function offer(newPair, versions, one, other) {
  const same = pair === newPair;
  pair = newPair;
  const before = [first, second].map((box) => (same && versions.includes(box.value) ? box.value : null));
  for (const box of [first, second]) box.replaceChildren(...versions.map((version) => make("option", { value: version }, version)));
  second.value = before[1] ?? one;
  first.value = before[0] ?? (other !== one ? other : versions.find((version) => version !== one) ?? one);
  part("sentence").lang = pair.split("-")[0];
}

part("compare").addEventListener("submit", async (event) => {
  event.preventDefault();
  const mine = ++turn;
  const box = part("compared");
  box.replaceChildren(make("p", {}, t("working")));
  const versions = [first.value, second.value];
  const found = [];
  for (const version of versions) found.push(await tried(version)); // one after the other: the server has one thread for it
  if (mine !== turn) return;
  const [before, after] = found.map((one) => one.text);
  const both = before !== undefined && after !== undefined;
  box.replaceChildren(...found.map((one, side) => make("section", { class: "sheet" }, make("h3", {}, versions[side]), ...shown(one, both ? shownDifference(before, after, side ? "added" : "removed") : [one.text]))),
    both && before === after ? make("p", {}, t("same")) : "");
});

async function tried(version) {
  const path = `/v1/models/${encodeURIComponent(pair)}/${encodeURIComponent(version)}/translate`;
  return call(path, { method: "POST", body: { text: part("sentence").value } }).catch((problem) => ({ problem }));
}

function shown(one, text) {
  if (one.problem) return [make("p", { class: "error" }, one.problem.message)];
  const sure = one.score === null ? null : make("p", { class: "soft" }, t("sureness", { n: short(one.score) }));
  return [make("p", { class: "text", lang: one.target }, text), sure].filter(Boolean);
}
