// The translation as words that can be pointed at, beside the words that they come from.
//
// Sentences are shown as the server gave them, or as the person chose; the source's words lie in a mirror behind the
// text field, where they can be marked.

import { make, part, t } from "../lib.js";

const UNSURE = 0.5, VERY_UNSURE = 0.25;
const output = part("translation"), mirror = part("mirror"), field = part("text");

const chosen = new Map(); // what the person chose instead, by source sentence
let answer = null;
let sentences = []; // as shown: {source, machine, text, words, memory, span, element, own}
let current = null; // the word that is marked: its element

export const forgetChoices = () => chosen.clear();
export const forgetChoice = (source) => chosen.delete(source);
export const isShown = (sentence) => sentences.includes(sentence);
export const shownSentences = () => sentences;
export const shownAnswer = () => answer;
export const shownText = () => output.textContent;
export const sentenceOf = (word) => sentences[word.closest(".sentence").dataset.at];

export function clearTranslation() {
  answer = current = null;
  sentences = [];
  output.replaceChildren();
  mirror.replaceChildren();
  part("word-note").textContent = "";
}

// Show `given`, the answer for `sourceText`.
export function showTranslation(given, sourceText) {
  answer = given;
  current = null;
  const pieces = [];
  let place = 0;
  sentences = [];
  for (const one of given.details.sentences) {
    const at = given.text.indexOf(one.text, place);
    if (at < 0) continue; // markup that was put together in another way
    pieces.push(given.text.slice(place, at));
    place = at + one.text.length;
    const own = one.from_memory ? undefined : chosen.get(one.source_text);
    const sentence = { source: one.source_text, machine: one.text, text: one.text, words: one.words, memory: one.from_memory, span: one.span, own: Boolean(own), ...own };
    sentence.element = sentenceElement(sentence, sentences.length);
    pieces.push(sentence.element);
    sentences.push(sentence);
  }
  pieces.push(given.text.slice(place));
  output.replaceChildren(...pieces);
  output.lang = given.target;
  mirrorWords(sourceText);
  part("word-note").textContent = output.querySelector(".unsure") ? t("unsure") : "";
}

// The person wants `sentence` to read as `reading`: {text, words}.
export function choose(sentence, reading) {
  chosen.set(sentence.source, reading);
  Object.assign(sentence, reading, { own: true });
  const fresh = sentenceElement(sentence, sentences.indexOf(sentence));
  sentence.element.replaceWith(fresh);
  sentence.element = fresh;
  current = null;
  mirrorWords(field.value);
  part("word-note").textContent = "";
}

function sentenceElement(sentence, at) {
  const places = [...sentence.text.matchAll(/\S+/g)];
  const known = places.length === sentence.words.length; // memory has no words
  const children = [];
  let end = 0;
  places.forEach((match, index) => {
    const word = known ? sentence.words[index] : null;
    children.push(sentence.text.slice(end, match.index), make("span", { class: wordClass(word), data: { index, start: match.index } }, match[0]));
    end = match.index + match[0].length;
  });
  const kind = `sentence${sentence.memory ? " memory" : ""}${sentence.own ? " chosen" : ""}`;
  return make("span", { class: kind, data: { at } }, children, sentence.text.slice(end));
}

function wordClass(word) {
  if (!word || word.confidence >= UNSURE) return "word";
  return word.confidence < VERY_UNSURE ? "word unsure very" : "word unsure";
}

// The source's words, each at its place; `span` counts characters, strings here count UTF-16 units.
function mirrorWords(sourceText) {
  const characters = [...sourceText];
  const cut = (from, to) => characters.slice(from, to).join("");
  const children = [];
  let place = 0;
  sentences.forEach((sentence, at) => {
    const [from, to] = sentence.span;
    children.push(cut(place, from));
    let index = 0;
    for (const piece of cut(from, to).split(/(\s+)/)) {
      if (!piece) continue;
      children.push(/^\s/.test(piece) ? piece : make("span", { data: { at, index: index++ } }, piece));
    }
    place = to;
  });
  mirror.replaceChildren(...children.filter(Boolean), cut(place), "\n");
  mirror.scrollTop = field.scrollTop;
}

const mirrored = (at, index) => mirror.querySelector(`[data-at="${at}"][data-index="${index}"]`);
const sourcesOf = (sentence, index) => sentence.words[index]?.source_words ?? [];

function unmark() {
  for (const one of document.querySelectorAll(".on")) one.classList.remove("on");
}

// Mark a word of the translation and those that it comes from, and say so.
export function markWord(word) {
  unmark();
  current = word;
  if (!word) return;
  const sentence = sentenceOf(word), { at } = sentence.element.dataset;
  word.classList.add("on");
  const sources = sourcesOf(sentence, word.dataset.index).map((index) => mirrored(at, index)).filter(Boolean);
  for (const one of sources) one.classList.add("on");
  const known = sentence.words[word.dataset.index];
  const values = { word: word.textContent, source: sources.map((one) => one.textContent).join(" "), sure: Math.round(100 * (known?.confidence ?? 0)) };
  part("word-note").textContent = t(sources.length ? "word" : "word_alone", values);
}

// Mark the word of the source at a place on the screen, and those that come from it.
function markSource(x, y) {
  const word = document.elementsFromPoint(x, y).find((one) => one.parentElement === mirror);
  unmark();
  if (!word) return;
  word.classList.add("on");
  const sentence = sentences[word.dataset.at];
  sentence.words.forEach((one, index) => {
    if (one.source_words.includes(Number(word.dataset.index))) sentence.element.querySelector(`[data-index="${index}"]`)?.classList.add("on");
  });
}

// The word beside the one that is marked, for the arrow keys.
export function nextWord(step) {
  const words = [...output.querySelectorAll(".word")];
  const at = words.indexOf(current);
  return words[at < 0 ? 0 : Math.max(0, Math.min(words.length - 1, at + step))];
}

export const markedWord = () => current;

output.addEventListener("pointermove", (event) => {
  const word = event.target.closest(".word");
  if (word && word !== current) markWord(word);
});
field.addEventListener("pointermove", (event) => markSource(event.clientX, event.clientY));
for (const pane of [output, field]) pane.addEventListener("pointerleave", () => { unmark(); current = null; });
field.addEventListener("scroll", () => { mirror.scrollTop = field.scrollTop; });
field.addEventListener("input", () => mirror.replaceChildren());
