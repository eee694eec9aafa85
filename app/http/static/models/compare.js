// Two versions on a sentence of one's own, side by side.
import { call, make, part, shownDifference, t } from "../lib.js";

const [first, second] = [part("first"), part("second")];
const picked = new Set(); // by a person
let pair = "";
let turn = 0;

for (const box of [first, second]) box.addEventListener("change", () => picked.add(box));

// Offer `versions`: first `current`, then `looked`, unless somebody has picked.
export function offer(newPair, versions, current, looked) {
  if (pair !== newPair) {
    picked.clear();
    turn += 1;
    part("compared").replaceChildren();
  }
  pair = newPair;
  const fill = (box, usual) => {
    const wanted = picked.has(box) && versions.includes(box.value) ? box.value : usual;
    box.replaceChildren(...versions.map((version) => make("option", { selected: version === wanted }, version)));
  };
  fill(first, current);
  fill(second, looked === first.value ? versions.find((version) => version !== looked) : looked);
  part("sentence").lang = pair.split("-")[0];
}

part("compare").addEventListener("submit", async (event) => {
  event.preventDefault();
  const mine = ++turn;
  const box = part("compared");
  box.replaceChildren(make("p", {}, t("working")));
  const versions = [first.value, second.value], text = part("sentence").value;
  const found = [];
  for (const version of versions) found.push(await tried(version, text)); // one after the other: the server has one thread for it
  if (mine !== turn) return;
  const [before, after] = found.map((one) => one.text);
  const both = before !== undefined && after !== undefined;
  box.replaceChildren(...found.map((one, side) => make("section", { class: "sheet" }, make("h3", {}, versions[side]), shown(one, both ? shownDifference(before, after, side ? "added" : "removed") : one.text))),
    both && before === after ? make("p", {}, t("same")) : "");
});

async function tried(version, text) {
  const path = `/v1/models/${encodeURIComponent(pair)}/${encodeURIComponent(version)}/translate`;
  return call(path, { method: "POST", body: { text } }).catch((problem) => ({ problem }));
}

const shown = (one, text) => (one.problem ? make("p", { class: "error" }, one.problem.message) : make("p", { class: "text", lang: one.target }, text));
