// A correction: written beside the translation, sent, and followed until a model has learnt it.

import { ask, call, keep, kept, make, part, random, say, showError, shownDifference, t } from "../lib.js";
import { forgetChoice, shownAnswer, shownSentences, shownText } from "./view.js";

const MOST = 50;
const FAST_MS = 3000, SLOW_MS = 20_000, FAST_FOR_MS = 600_000; // how often a fate is asked for, soon after and later

const box = part("correction"), field = part("correction-text"), which = part("correction-which");
let readings = []; // what can be corrected: {source, machine, text, answer}
let onChange = () => {};
let timer = 0, sentAt = 0;

const sent = () => kept("corrections", []);
const keepSent = (list) => keep("corrections", list.slice(0, MOST));

// Let the person correct `sentence`, or choose one of those that are shown.
export function offerCorrection(sentence) {
  const shown = shownSentences();
  const answer = shownAnswer();
  readings = shown.map(({ source, machine, text }) => ({ source, machine, text, answer }));
  which.replaceChildren(...readings.map((one, index) => make("option", { value: index }, one.source.slice(0, 80))));
  which.parentElement.hidden = readings.length < 2;
  which.value = Math.max(0, shown.indexOf(sentence));
  box.hidden = false;
  begin();
  field.focus();
  box.scrollIntoView({ block: "nearest" });
}

const reading = () => readings[which.value];

function begin() {
  part("correction-source").textContent = reading().source;
  field.value = reading().text;
  field.lang = reading().answer.target;
  showError("correction-error", "");
  showChange();
}

function showChange() {
  const same = field.value.trim() === reading().machine;
  part("correction-difference").replaceChildren(...(same ? [t("no_change")] : shownDifference(reading().machine, field.value.trim())));
  part("correction-send").disabled = same || !field.value.trim();
}

async function send() {
  const { source: source_text, machine, answer: { source, target, model_version } } = reading();
  const body = { source, target, source_text, machine_translation: machine, corrected_translation: field.value.trim(), ...(model_version ? { model_version } : {}) };
  part("correction-send").disabled = true;
  try {
    const { id, status, state } = await call("/v1/corrections", { method: "POST", body, headers: { "Idempotency-Key": random() } });
    keepSent([{ id, status, state, text: body.corrected_translation, source: source_text, target }, ...sent()]);
    box.hidden = true;
    forgetChoice(source_text);
    say(t("sent"));
    sentAt = Date.now();
    showMine();
    follow();
    part("mine").focus();
    if (status === "approved") onChange();
  } catch (failure) {
    showError("correction-error", (failure.body?.errors ?? []).map((one) => refusal(one.message)).join("; ") || failure.message);
    part("correction-send").disabled = false;
  }
}

const REFUSALS = [[/^seems to be/, "refused_language"], [/^is the (?:machine|source)/, "refused_same"], [/^lacks/, "refused_part"], [/times (?:longer|shorter)/, "refused_length"]];

// Why a correction was refused, in the page's language where that is another than the server's.
function refusal(message) {
  const known = document.documentElement.lang === "en" ? null : REFUSALS.find(([pattern]) => pattern.test(message));
  return known ? `${t(known[1])} (${message})` : message;
}

function fate({ status, reason, trained_in: trained = [] }) {
  if (status === "approved") return trained.length ? [t("fate_trained", { version: trained[0] }), "good"] : [t("fate_approved"), "good"];
  if (status === "rejected") return [t("fate_rejected", { reason: reason ?? "" }), "bad"];
  if (status === "superseded") return [t("fate_superseded"), "odd"];
  return status === "gone" ? [t("fate_gone"), "odd"] : [t("fate_pending"), ""];
}

function showMine() {
  const list = sent();
  part("mine").hidden = !list.length;
  part("corrections").replaceChildren(...list.map((one) => {
    const [told, kind] = fate(one);
    return make("li", { data: { id: one.id } },
      make("span", { class: "grow" }, make("span", { class: "soft" }, one.source), make("br"), make("span", { lang: one.target }, one.text)),
      make("span", { class: `chip ${kind}`, role: "status" }, told),
      make("button", { type: "button", class: "plain", "aria-label": `${t("delete")}: ${one.text.slice(0, 40)}`, onclick: () => remove(one) }, t("delete")));
  }));
}

async function remove(one) {
  if (one.status !== "gone") {
    if (!await ask(t("delete_sure"), t("delete"))) return;
    try {
      await call(`/v1/corrections/${one.id}`, { method: "DELETE" });
    } catch (failure) {
      if (failure.status !== 404) return say(failure.message, "bad");
    }
  }
  keepSent(sent().filter(({ id }) => id !== one.id));
  showMine();
  onChange();
}

// Ask for the fates that may still change, and again after a while.
async function follow(first = false) {
  clearTimeout(timer);
  const waits = ({ status, trained_in: trained }) => status === "pending" || (status === "approved" && !trained?.length);
  const open = sent().filter((one) => first || waits(one)).sort((one, other) => (other.status === "pending") - (one.status === "pending"));
  if (!open.length) return;
  if (!document.hidden) await Promise.all(open.slice(0, first ? MOST : 10).map(look));
  clearTimeout(timer);
  timer = setTimeout(() => follow(), Date.now() - sentAt < FAST_FOR_MS ? FAST_MS : SLOW_MS);
}

async function look({ id }) {
  let now;
  try {
    now = await call(`/v1/corrections/${id}`, { quiet: true });
  } catch (failure) {
    if (failure.status !== 404) return; // the server is away: asked again later
    now = { status: "gone" };
  }
  const list = sent(), mine = list.find((one) => one.id === id);
  if (!mine || (mine.status === now.status && mine.state === now.state)) return;
  Object.assign(mine, { status: now.status, state: now.state, reason: now.reason, trained_in: now.trained_in });
  keepSent(list);
  showMine();
  onChange();
}

// Show the corrections of earlier visits; `changed` is called when what answers may have changed.
export function restoreCorrections(changed) {
  onChange = () => { if (shownText()) changed(); };
  showMine();
  follow(true); // a decision may have been taken back
}

which.addEventListener("change", begin);
field.addEventListener("input", showChange);
part("correction-send").addEventListener("click", send);
const cancel = () => { box.hidden = true; part("correct").focus(); };
part("correction-cancel").addEventListener("click", cancel);
box.addEventListener("keydown", (event) => { if (event.key === "Escape") cancel(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) follow(); });
