// Other words for the one that was clicked, each with the sentence that follows from it; other sentences; a correction.

import { call, make, page, part, t } from "../lib.js";
import { offerCorrection } from "./correcting.js";
import { choose, isShown, markedWord, markWord, nextWord, sentenceOf, shownAnswer } from "./view.js";

const output = part("translation"), box = part("choices");
const most = Math.min(5, Number(page.maxAlternatives));

let asked = 0; // which opening of the box an answer is for

export const closeChoices = () => { if (box.matches(":popover-open")) box.hidePopover(); };

async function decoded(sentence, more) {
  const { source, target } = shownAnswer();
  const { translations: [found] } = await call("/v1/translate", { method: "POST", body: { text: sentence.source, source, target, memory: false, ...more } });
  return found;
}

// The sentence decoded again behind `prefix`, and shown.
async function goOn(sentence, prefix) {
  const mine = asked, found = await decoded(sentence, { prefix, details: true });
  if (mine !== asked || !isShown(sentence)) return; // the person has gone on
  choose(sentence, { text: found.text, words: found.details.sentences[0]?.words ?? [] });
  closeChoices();
  output.focus();
}

function listed(title, readings, label, onPick) {
  if (!readings.length) return null;
  const items = readings.map((text) => make("li", {}, make("button", { type: "button", class: "plain", onclick: () => onPick(text) }, label(text))));
  return [make("h3", {}, title), make("ul", {}, items)];
}

function ownWord(sentence, before) {
  const input = make("input", { "aria-label": t("own_word"), placeholder: t("own_word"), autocomplete: "off" });
  const submit = (event) => { event.preventDefault(); if (input.value.trim()) guarded(() => goOn(sentence, `${before}${input.value.trim()} `)); };
  return make("form", { onsubmit: submit }, input, make("button", {}, t("use")));
}

function guarded(work) {
  const mine = asked;
  return work().catch((failure) => {
    const long = failure.kind === "invalid-request" && failure.detail.includes("too long for a prefix");
    if (mine !== asked) return;
    box.querySelector(".error")?.remove();
    box.append(make("p", { class: "error", role: "alert" }, long ? t("long_sentence") : failure.message));
  });
}

const wordAt = (text, before) => text.slice(before.length).match(/^\S+/)?.[0] ?? text.split(/\s+/)[before.split(/\s+/).filter(Boolean).length] ?? "";

function different(texts, key, ...known) {
  const seen = new Set(known);
  return texts.filter((text) => key(text) && !seen.has(key(text)) && seen.add(key(text)));
}

async function open(word) {
  const sentence = sentenceOf(word), before = sentence.text.slice(0, word.dataset.start), mine = ++asked;
  const looking = make("p", { class: "soft" }, t("looking"));
  box.replaceChildren(make("h2", {}, t("instead", { word: word.textContent })), looking, ownWord(sentence, before),
    make("button", { type: "button", onclick: () => { closeChoices(); offerCorrection(sentence); } }, t("correct_sentence")));
  box.showPopover();
  place(word);
  box.focus(); // not the field: a telephone would show its keyboard
  const isOpen = () => mine === asked;
  await guarded(async () => {
    const found = await decoded(sentence, { prefix: before, alternatives: most });
    if (isOpen()) offerWords(sentence, word, before, found, looking);
  });
  if (!isOpen()) return;
  looking.remove();
  await guarded(async () => {
    const found = await decoded(sentence, { alternatives: most });
    if (isOpen()) offerSentences(sentence, word, found);
  });
}

const readings = (found) => [found.text, ...(found.alternatives ?? []).map((one) => one.text)];

function offerWords(sentence, word, before, found, looking) {
  const at = (text) => wordAt(text, before);
  const label = (text) => [make("b", {}, at(text)), make("span", { class: "soft" }, text)];
  const pick = (text) => guarded(() => goOn(sentence, text.startsWith(before) ? `${before}${at(text)}${text.endsWith(at(text)) ? "" : " "}` : text));
  const list = listed("", different(readings(found), (text) => at(text).toLowerCase(), word.textContent.toLowerCase()), label, pick);
  looking.replaceWith(list ? list[1] : make("p", { class: "soft" }, t("no_others")));
  place(word);
  if (document.activeElement === box) box.querySelector("li button, input").focus();
}

function offerSentences(sentence, word, found) {
  const list = listed(t("whole"), different(readings(found), (text) => text, sentence.text), (text) => text, (text) => guarded(() => goOn(sentence, text)));
  if (list) box.append(...list);
  place(word);
}

// Below the word, or above it where there is more room.
function place(word) {
  const at = word.getBoundingClientRect(), own = box.getBoundingClientRect();
  const below = innerHeight - at.bottom > own.height + 8 || at.top < own.height + 8;
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - own.width - 8))}px`;
  box.style.top = `${Math.max(8, below ? Math.min(at.bottom + 6, innerHeight - own.height - 8) : at.top - own.height - 6)}px`;
}

export function watchWords() {
  output.addEventListener("click", (event) => {
    const word = event.target.closest(".word");
    if (!word || !getSelection().isCollapsed || part("format").value !== "text") return;
    markWord(word);
    open(word);
  });
  output.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const word = nextWord(step);
      if (word) { markWord(word); word.scrollIntoView({ block: "nearest" }); }
    } else if (event.key === "Enter" && markedWord() && part("format").value === "text") {
      event.preventDefault();
      open(markedWord());
    }
  });
  box.addEventListener("toggle", (event) => { if (event.newState === "closed") asked += 1; });
}
