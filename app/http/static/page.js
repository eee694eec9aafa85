"use strict";

const PAUSE_MS = 600;
const NAMES = { it: "Italian", en: "English" };

const part = (id) => document.getElementById(id);
const page = document.body.dataset;
const maxChars = Number(page.maxChars);
const pairs = page.pairs.split(" ").filter(Boolean); // none while the models load: nothing is known then
const form = part("form"), text = part("text"), source = part("source"), target = part("target");
const translation = part("translation"), about = part("about"), error = part("error");

let running = null; // the request on its way; a newer one replaces it
let timer = 0;

function countChars() {
  const count = [...text.value].length;
  part("count").textContent = `${count} / ${maxChars}`;
  part("count").classList.toggle("over", count > maxChars);
  part("clear").disabled = count === 0;
  return count;
}

function showError(message) {
  error.textContent = message;
  error.hidden = !message;
}

function show(answer, milliseconds) {
  translation.textContent = answer.text;
  translation.lang = answer.target;
  part("copy").disabled = !answer.text;
  const facts = [];
  if (answer.detected && !answer.source) facts.push("neither Italian nor English, left as it is");
  else if (answer.detected) facts.push(answer.source === answer.target ? `already ${NAMES[answer.source]}` : `from ${NAMES[answer.source]}`);
  if (answer.model_version) facts.push(`model ${answer.model_version}`);
  facts.push(`${Math.round(milliseconds)}\u00a0ms`);
  if (answer.truncated) facts.push("cut short");
  const warnings = answer.details.sentences.flatMap((sentence) => sentence.warnings);
  if (warnings.includes("span")) facts.push("a part that must stay as it is may stand in the wrong place");
  if (warnings.includes("number")) facts.push("a number is missing");
  about.textContent = facts.join(" · ");
}

function reset() {
  translation.textContent = about.textContent = "";
  translation.classList.remove("busy");
  part("copy").disabled = true;
  showError("");
}

function explain(problem) {
  if (!problem.errors) return problem.detail || problem.title;
  return problem.errors.map((wrong) => (wrong.field === "text" ? `The text ${wrong.message}.` : `${wrong.field}: ${wrong.message}.`)).join(" ");
}

async function ask(signal) {
  const response = await fetch(`${page.root}/v1/translate`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text: text.value.toWellFormed?.() ?? text.value, source: source.value, target: target.value, details: true }),
    signal,
  });
  const body = await response.json();
  if (!response.ok) throw new Error(explain(body));
  return body.translations[0];
}

async function translate() {
  clearTimeout(timer);
  running?.abort();
  countChars();
  if (!text.value.trim()) return reset();
  const mine = running = new AbortController();
  const started = performance.now();
  translation.classList.add("busy");
  try {
    show(await ask(mine.signal), performance.now() - started);
    showError("");
  } catch (failure) {
    if (mine.signal.aborted) return;
    reset();
    showError(failure instanceof TypeError ? "The server cannot be reached." : failure.message);
  }
  if (running === mine) translation.classList.remove("busy");
}

function later() {
  countChars();
  clearTimeout(timer);
  timer = setTimeout(translate, PAUSE_MS);
}

const opposite = (language) => (language === "it" ? "en" : "it");

function showSwap() {
  const from = target.value, to = opposite(from);
  const served = !pairs.length || pairs.includes(`${from}-${to}`);
  part("swap").disabled = !served;
  part("swap").title = served ? "Swap the languages" : `This server has no model from ${NAMES[from]} to ${NAMES[to]}`;
}

function directionChanged(changed, other) {
  if (changed.value === other.value) other.value = opposite(changed.value);
  showSwap();
  if (text.value.trim()) translate();
}

function swap() {
  source.value = target.value;
  target.value = opposite(source.value);
  showSwap();
  if (translation.textContent) text.value = translation.textContent;
  translate();
}

async function copy() {
  const button = part("copy");
  try {
    await navigator.clipboard.writeText(translation.textContent);
  } catch { // no clipboard without HTTPS: select it, so that Ctrl+C is enough
    getSelection().selectAllChildren(translation);
    return;
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

form.addEventListener("submit", (event) => { event.preventDefault(); translate(); });
text.addEventListener("input", later);
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); translate(); }
});
source.addEventListener("change", () => directionChanged(source, target));
target.addEventListener("change", () => directionChanged(target, source));
part("swap").addEventListener("click", swap);
part("copy").addEventListener("click", copy);
part("clear").addEventListener("click", () => { text.value = ""; translate(); text.focus(); });
showSwap();
countChars();
