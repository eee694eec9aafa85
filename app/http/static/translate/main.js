// The page that translates: what is typed goes to the server after a pause, the newest answer is shown.

import { call, copied, keep, kept, make, number, page, part, showError, t } from "../lib.js";
import { closeChoices, watchWords } from "./choices.js";
import { offerCorrection, restoreCorrections } from "./correcting.js";
import { watchFiles } from "./files.js";
import { remember, watchHistory } from "./history.js";
import { showSnippet } from "./snippets.js";
import { forgetChoices, shownText, showTranslation, clearTranslation } from "./view.js";

const SURE = 0.75; // of a language, to turn round
const MARKUP = /<([a-z][a-z0-9]*)\b[^<>]*>[^]*<\/\1>/i;
const PAUSE_MS = 100; // a pause in typing; with the way to the server and back it stays below what feels like waiting

const text = part("text"), source = part("source"), target = part("target"), format = part("format");
const maxChars = Number(page.maxChars);
const pairs = page.pairs.split(" ").filter(Boolean); // none while the models load: nothing is known then
const opposite = (language) => (language === "it" ? "en" : "it");
const languageNames = new Intl.DisplayNames(document.documentElement.lang, { type: "language" });

let running = null; // the request on its way; a newer one replaces it
let timer = 0;

function countChars() {
  const count = [...text.value].length;
  part("count").textContent = `${number(count)} / ${number(maxChars)}`;
  part("count").classList.toggle("over", count > maxChars);
  part("clear").disabled = count === 0;
  part("examples").hidden = count > 0;
  return count;
}

function explained(problem) {
  const wrong = problem.body?.errors ?? [];
  if (!wrong.length) return problem.message;
  return wrong.map((one) => `${one.field}: ${one.message}`).join("; ");
}

function showAbout(answer, milliseconds) {
  const facts = [];
  if (answer.detected && answer.source) facts.push(t(answer.source === answer.target ? "already" : "from_language", { language: t(answer.source) }));
  if (answer.from_memory) facts.push(t("memory"));
  if (answer.model_version) facts.push(t("model", { version: answer.model_version }));
  facts.push(`${Math.round(milliseconds)} ms`);
  part("about").textContent = facts.join(" · ");
}

// Whether the text is in the language that it would be translated into, which is what the page begins with and hardly
// what the person wants.
function wrongWay({ detected }) {
  return detected?.language === target.value && detected.confidence >= SURE && pairs.includes(`${target.value}-${opposite(target.value)}`);
}

function notes(answer) {
  const found = [];
  if (format.value === "text" && MARKUP.test(text.value)) found.push(t("looks_like_html"));
  if (answer.detected && !answer.source) {
    const language = answer.detected.looks_like;
    found.push(language ? t("other_language", { language: languageNames.of(language) }) : t("no_language"));
  }
  if (answer.truncated) found.push(t("cut"));
  for (const sentence of answer.details.sentences) {
    for (const warning of sentence.warnings) found.push(t(`warn_${warning}`, { sentence: sentence.source_text }));
  }
  return found;
}

function showNotes(lines) {
  part("notes").replaceChildren(...lines.map((line) => make("p", { class: "odd" }, line)));
}

function show(answer, asked, milliseconds) {
  showTranslation(answer, asked.text);
  showAbout(answer, milliseconds);
  showNotes(notes(answer));
  showError("error", "");
  for (const id of ["copy", "link"]) part(id).disabled = !answer.text;
  part("correct").disabled = !answer.source || answer.source === answer.target || format.value !== "text";
  part("correct").title = format.value === "text" ? "" : t("no_correction");
  remember({ text: asked.text, source: asked.source, target: asked.target, translation: answer.text });
}

function reset() {
  clearTranslation();
  closeChoices();
  part("about").textContent = "";
  part("translation").classList.remove("busy");
  showNotes([]);
  showError("error", "");
  for (const id of ["copy", "link", "correct"]) part(id).disabled = true;
}

const request = () => ({ text: text.value.toWellFormed?.() ?? text.value, source: source.value, target: target.value, ...(format.value === "text" ? {} : { format: format.value }) });

export async function translate() {
  clearTimeout(timer);
  running?.abort();
  const count = countChars();
  keep("draft", [text.value, source.value, target.value, format.value], "sessionStorage");
  showSnippet(request());
  if (!text.value.trim()) return reset();
  if (count > maxChars) {
    reset();
    return showError("error", t("text_limit", { n: number(count), most: number(maxChars) }));
  }
  const mine = running = new AbortController(), asked = request();
  const started = performance.now();
  part("translation").classList.add("busy");
  try {
    const { translations: [answer] } = await call("/v1/translate", { method: "POST", body: { ...asked, details: true }, signal: mine.signal });
    if (running !== mine) return;
    if (wrongWay(answer)) {
      target.value = opposite(target.value);
      return directionChanged(target, source);
    }
    show(answer, asked, performance.now() - started);
  } catch (failure) {
    if (mine.signal.aborted) return;
    reset();
    showError("error", explained(failure));
  }
  if (running === mine) part("translation").classList.remove("busy");
}

function later() {
  countChars();
  clearTimeout(timer);
  timer = setTimeout(translate, PAUSE_MS);
}

function showSwap() {
  const from = target.value, to = opposite(from);
  const served = !pairs.length || pairs.includes(`${from}-${to}`);
  part("swap").disabled = !served;
  if (!served) part("swap").title = t("no_swap", { from: t(from), to: t(to) });
}

function directionChanged(changed, other) {
  if (changed.value === other.value) other.value = opposite(changed.value);
  showSwap();
  forgetChoices();
  translate();
}

function swap() {
  const from = target.value, shown = shownText();
  if (source.value !== "auto") source.value = from;
  target.value = opposite(from);
  if (shown) text.value = shown;
  directionChanged(source, target);
}

// Everything at once: from a link, an example, the history, a file.
export function set(values) {
  for (const [id, value] of Object.entries(values)) if (value != null) part(id).value = value;
  if (source.value === target.value) target.value = opposite(source.value);
  showSwap();
  forgetChoices();
  translate();
}

function linkHere() {
  const link = new URL(location.pathname, location.href);
  link.search = new URLSearchParams({ q: text.value, source: source.value, target: target.value });
  return link.href;
}

function begin() {
  const asked = new URLSearchParams(location.search);
  const [draft, ...rest] = kept("draft", [""], "sessionStorage");
  const language = (name) => (["it", "en", "auto"].includes(asked.get(name)) ? asked.get(name) : null);
  if (asked.has("q")) set({ text: asked.get("q"), source: language("source"), target: language("target") === "auto" ? null : language("target") });
  else if (draft) set({ text: draft, source: rest[0], target: rest[1], format: rest[2] });
  else set({ source: language("source"), target: language("target") });
}

part("form").addEventListener("submit", (event) => event.preventDefault());
text.addEventListener("input", later);
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); translate(); }
});
source.addEventListener("change", () => directionChanged(source, target));
target.addEventListener("change", () => directionChanged(target, source));
format.addEventListener("change", () => { forgetChoices(); translate(); });
part("swap").addEventListener("click", swap);
part("copy").addEventListener("click", (event) => copied(event.currentTarget, shownText()));
part("link").addEventListener("click", (event) => copied(event.currentTarget, linkHere()));
part("clear").addEventListener("click", () => { text.value = ""; forgetChoices(); translate(); text.focus(); });
part("examples").addEventListener("click", ({ target: { lang, textContent, tagName } }) => {
  if (tagName === "BUTTON") set({ text: textContent, source: "auto", target: opposite(lang) });
});
part("correct").addEventListener("click", () => offerCorrection());
addEventListener("online", translate);
watchWords();
watchFiles(set);
watchHistory(set);
restoreCorrections(translate);
begin();

