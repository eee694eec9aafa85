// The versions: which there are, which one is looked at, which one translates.
import { ask, call, make, moment, part, say, t } from "../lib.js";
import { offer } from "./compare.js";
import { chips, scoreOf, setName, short } from "./pictures.js";
import { onEnd, onReport, showRuns } from "./runs.js";
import { showVersion } from "./version.js";

const PATH = "/v1/models";
const WAIT_MS = 2000;
const MOST_WAITS = 15;
let models = [];
let pair = "";
let chosen = "";
let waits = 0;
let later;
let turn = 0; // of loading a version: what an older one brings is not shown

const ofPair = () => models.filter((one) => one.pair === pair);
const current = () => ofPair().find((one) => one.current)?.version ?? "";

function failed(problem) {
  part("error").textContent = problem.message;
  part("error").hidden = false;
}

async function load() {
  const held = ["tree", "pairs"].find((id) => part(id).contains(document.activeElement)); // drawn anew, it would lose the focus
  try {
    ({ models } = await call(PATH));
    part("error").hidden = true;
  } catch (problem) {
    part("tree").replaceChildren();
    failed(problem);
    return false;
  }
  const [wantedPair, wanted] = decodeURIComponent(location.hash.slice(1)).split("/");
  const pairs = [...new Set(models.map((one) => one.pair))].sort().reverse();
  pair = pairs.includes(wantedPair) ? wantedPair : pairs[0] ?? "";
  part("pairs").replaceChildren(...pairs.map((one) => make("button", { "aria-pressed": String(one === pair), onclick: () => go(one) }, one.replace("-", " → "))));
  chosen = ofPair().some((one) => one.version === wanted) ? wanted : current() || ofPair()[0]?.version || "";
  part("rollback").disabled = part("retrain").disabled = !pair;
  drawTree();
  if (held) part(held).querySelector('[aria-current="true"], [aria-pressed="true"]')?.focus();
  offer(pair, ofPair().map((one) => one.version), chosen, current());
  if (chosen) await look();
  const isLate = ofPair().some((one) => one.current && !one.loaded && !one.problem); // it is about to take over
  waits = isLate ? waits + 1 : 0;
  clearTimeout(later);
  if (isLate && waits < MOST_WAITS) later = setTimeout(load, WAIT_MS);
  return true;
}

const go = (toPair, version = "") => {
  const hash = `#${encodeURIComponent(toPair)}/${encodeURIComponent(version)}`;
  if (location.hash === hash) load();
  else location.hash = hash; // and `hashchange` does the rest
};

// --- the tree: each version below the one that it was made from

function drawTree() {
  const known = new Map(ofPair().map((one) => [one.version, []]));
  const roots = ofPair().filter((one) => one.parent === one.version || !known.get(one.parent)?.push(one));
  const drawn = new Set();
  const branch = (ones) => make("ul", {}, ones.filter((one) => !drawn.has(one) && drawn.add(one)).map((one) => {
    const below = known.get(one.version);
    return make("li", {}, entry(one), below.length ? branch(below) : null);
  }));
  const lists = [branch(roots), ...ofPair().map((one) => (drawn.has(one) ? null : branch([one])))]; // those that descend from each other
  part("tree").replaceChildren(...(models.length ? lists.filter(Boolean) : [make("p", {}, t("no_versions"))]));
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
  const get = (version) => call(`${PATH}/${encodeURIComponent(pair)}/${encodeURIComponent(version)}`);
  try {
    const found = await get(chosen);
    const beside = models.find((one) => one.pair === pair && one.current && one.version !== chosen);
    if (mine === turn) box.replaceChildren(...showVersion(found, beside, promote));
  } catch (problem) {
    if (mine === turn) box.replaceChildren(make("p", { class: "error" }, problem.message));
  }
  if (mine === turn) box.setAttribute("aria-busy", "false");
}

// --- moving the pointer

async function move(question, yes, path, button) {
  if (!await ask(question, yes)) return;
  button.disabled = true;
  try {
    const moved = await call(path, { method: "POST" });
    say(`${t("moved", moved)}${moved.loaded ? "" : ` ${t("follows")}`}`, "good");
    await load();
    if (!button.isConnected) part("version").focus();
  } catch (problem) {
    say(problem.message, "bad");
    failed(problem);
  }
  button.disabled = !pair;
}

function promote(version, button) {
  const question = t("ask_promote", { pair, version, current: current() });
  return move(question, t("promote"), `${PATH}/${encodeURIComponent(pair)}/${encodeURIComponent(version)}/promote`, button);
}

part("rollback").addEventListener("click", (event) => {
  move(t("ask_rollback", { pair, current: current() }), t("rollback"), `${PATH}/${encodeURIComponent(pair)}/rollback`, event.currentTarget);
});

addEventListener("hashchange", load);
onEnd(load);
document.addEventListener("report", (event) => onReport(event.detail));
if (await load()) await showRuns(() => ({ pair, current: current() }));
