// The versions: which there are, which one is looked at, which one translates.
import { ask, call, make, moment, part, say, showError, t } from "../lib.js";
import { offer } from "./compare.js";
import { chips, scoreOf, setName, short } from "./pictures.js";
import { prepare, showRuns } from "./runs.js";
import { showVersion } from "./version.js";

const PATH = "/v1/models";
const WAIT_MS = 2000;
const MOST_WAITS = 15;
const MUCH_BLEU = 1;
let models = [];
let rollback = {}; // where it leads, by pair
let pair = "";
let chosen = "";
let waits = 0;
let later;
let turn = 0; // of loading a version: what an older one brings is not shown
const drawn = {}; // what parts show

const at = (...names) => names.map(encodeURIComponent).join("/");
const ofPair = () => models.filter((one) => one.pair === pair);
const current = () => ofPair().find((one) => one.current)?.version ?? "";

function failed(problem) {
  showError("error", problem.message);
}

// Draw a part anew if what it shows has changed: else a click that has begun there, and what is open, would be lost.
function draw(id, shown, elements) {
  const now = JSON.stringify(shown);
  if (drawn[id] === now) return;
  drawn[id] = now;
  part(id).replaceChildren(...elements());
}

async function load() {
  const held = ["tree", "pairs"].find((id) => part(id).contains(document.activeElement)); // drawn anew, it would lose the focus
  try {
    ({ models, rollback } = await call(PATH));
    part("error").hidden = true;
  } catch (problem) {
    draw("tree", null, () => []);
    failed(problem);
    return false;
  }
  const [wantedPair, wanted] = location.hash.slice(1).split("/"); // names need no escapes
  const pairs = [...new Set(models.map((one) => one.pair))].sort().reverse();
  pair = pairs.includes(wantedPair) ? wantedPair : pairs[0] ?? "";
  draw("pairs", [pairs, pair], () => pairs.map((one) => make("button", { "aria-pressed": String(one === pair), onclick: () => go(one) }, one.replace("-", " → "))));
  chosen = ofPair().some((one) => one.version === wanted) ? wanted : current() || ofPair()[0]?.version || "";
  const back = part("rollback");
  back.disabled = !rollback[pair];
  back.title = back.disabled ? t("no_rollback") : "";
  part("retrain").disabled = !pair || !part("run").hidden;
  draw("tree", [models, pair, chosen], tree);
  if (held) part(held).querySelector('[aria-current="true"], [aria-pressed="true"]')?.focus();
  offer(pair, ofPair().map((one) => one.version), current(), chosen);
  if (chosen) await look();
  const isLate = ofPair().some((one) => one.current && !one.loaded && !one.problem); // it is about to take over
  waits = isLate ? waits + 1 : 0;
  clearTimeout(later);
  if (isLate && waits < MOST_WAITS) later = setTimeout(load, WAIT_MS);
  return true;
}

const go = (toPair, version = "") => {
  const hash = `#${at(toPair, version)}`;
  if (location.hash === hash) load();
  else location.hash = hash; // and `hashchange` does the rest
};

// --- the tree: each version below the one that it was made from

function tree() {
  const known = new Map(ofPair().map((one) => [one.version, []]));
  const roots = ofPair().filter((one) => one.parent === one.version || !known.get(one.parent)?.push(one));
  const placed = new Set();
  const branch = (ones) => make("ul", {}, ones.filter((one) => !placed.has(one) && placed.add(one)).map((one) => {
    const below = known.get(one.version);
    return make("li", {}, entry(one), below.length ? branch(below) : null);
  }));
  const lists = [branch(roots), ...ofPair().map((one) => (placed.has(one) ? null : branch([one])))]; // those that descend from each other
  return models.length ? lists.filter(Boolean) : [make("p", {}, t("no_versions"))];
}

function entry(one) {
  const score = scoreOf(one);
  const facts = [
    one.created && moment(one.created), score && `${setName(score.set)}: ${short(score.bleu)} BLEU`,
    one.corrections ? t("learnt", { n: one.corrections }) : null,
  ].filter(Boolean);
  return make("button", { "aria-current": String(one.version === chosen), onclick: () => go(pair, one.version) },
    make("b", {}, one.version), " ", chips(one), make("span", { class: "soft" }, facts.join(" · ")));
}

async function look() {
  const mine = ++turn;
  const box = part("version");
  box.setAttribute("aria-busy", "true");
  try {
    const found = await call(`${PATH}/${at(pair, chosen)}`);
    const beside = models.find((one) => one.pair === pair && one.current && one.version !== chosen);
    if (mine === turn) draw("version", [found, beside], () => showVersion(found, beside, (button) => promote(found, beside, button)));
  } catch (problem) {
    if (mine === turn) draw("version", problem.message, () => [make("h2", { id: "version-title" }, chosen), make("p", { class: "error" }, problem.message)]);
  }
  if (mine === turn) box.setAttribute("aria-busy", "false");
}

// --- moving the pointer

async function move(question, yes, path, button) {
  if (!await ask(question, yes)) return;
  button.disabled = true;
  try {
    const moved = await call(`${PATH}/${path}`, { method: "POST" });
    say(`${t("moved", moved)}${moved.loaded ? "" : ` ${t("follows")}`}`, "good");
    await load();
    if (!button.isConnected || button.disabled) part("version").focus();
  } catch (problem) {
    say(problem.message, "bad");
    failed(problem);
    button.disabled = false;
  }
}

// Where `one` is much worse; corrections are others each time.
function warning(one, other) {
  for (const { set, bleu } of one.scores) {
    const best = other?.scores.find((score) => score.set === set)?.bleu;
    if (bleu !== null && best - bleu > MUCH_BLEU && set !== "gate: corrections") return ` ${t("worse_on", { set: setName(set), bleu: short(bleu), current: other.version, best: short(best) })}`;
  }
  return "";
}

function promote(one, beside, button) {
  move(t("ask_promote", { pair, version: one.version, current: current() }) + warning(one, beside), t("promote"), at(pair, one.version, "promote"), button);
}

part("rollback").addEventListener("click", ({ currentTarget: button }) => {
  move(t("ask_rollback", { pair, current: current(), version: rollback[pair] }), button.textContent, at(pair, "rollback"), button);
});

addEventListener("hashchange", load);
prepare(() => ({ pair, current: current() }), load);
if (await load()) await showRuns();
