// Corrections as they are shown: one article each, drawn anew when it changes.
import { language, make, moment, number, part, shownDifference, t } from "../lib.js";

export const items = new Map(); // by id: { it, element, selected, busy, problem, gone, editing, draft, rivals }
const ACTIONS = { approve: "a", edit: "e", reject: "r", undo: "u" };
const OFFERED = {
  pending: ["approve", "edit", "reject"], approved: ["edit", "reject", "undo"],
  rejected: ["approve", "undo"], superseded: ["approve", "undo"],
};
const TONES = { approved: "good", rejected: "bad", superseded: "odd" };
const LONG = 1500; // characters: beyond, a text scrolls in itself
const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const drafts = new Map(); // by id: what somebody was typing when the queue was loaded anew
let act; // (name, item, more) does what a button says
let current;

// `name` with a number in it; where that is 1, `name_one` has the words.
export const count = (name, n) => t(name, { n: n === 1 ? 1 : number(n) });

export const onAct = (does) => { act = does; };

export function age(seconds) {
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ["second", 1];
  return relative.format(-Math.max(0, Math.floor(seconds / size)), unit);
}

// Show a correction as the server tells it, where it is shown already; else add it at the end.
export function show(told) {
  const draft = drafts.get(told.id);
  drafts.delete(told.id);
  const one = items.get(told.id) ?? { element: make("article", { tabindex: "-1", data: { id: told.id } }), draft, editing: draft !== undefined };
  one.it = { ...one.it, ...told };
  if (!items.has(told.id)) {
    items.set(told.id, one);
    part("queue").append(one.element);
  }
  draw(one);
  return one;
}

export const waits = (one) => one.it.status === "pending" && !one.gone;

// Those whose edit is begun and not saved.
export const typing = () => [...items.values()].filter((one) => one.editing && (one.draft ?? one.it.corrected_translation) !== one.it.corrected_translation);

export function clear() {
  for (const one of typing()) drafts.set(one.it.id, one.draft);
  items.clear();
  part("queue").replaceChildren();
}

export const currentItem = () => items.get(document.activeElement.closest("article")?.dataset.id ?? current);

export function focusOn(one) {
  if (!one?.element.isConnected) return;
  one.element.focus({ preventScroll: true });
  one.element.scrollIntoView({ block: "nearest" });
}

// The item `step` after `from`, or the nearest in that direction that `fits`.
export function beside(from, step, fits = () => true) {
  const all = [...items.values()];
  let place = from ? all.indexOf(from) + step : step > 0 ? 0 : all.length - 1;
  while (all[place] && !fits(all[place])) place += step;
  return all[place];
}

part("queue").addEventListener("focusin", (event) => {
  const id = event.target.closest("article")?.dataset.id;
  items.get(current)?.element.classList.remove("current");
  items.get(id)?.element.classList.add("current");
  current = id;
});

export function draw(one) {
  const { it, element } = one;
  const focused = element.contains(document.activeElement) && document.activeElement !== element;
  element.setAttribute("aria-label", `${t(it.status)}: ${it.source_text.slice(0, 100)}`);
  element.setAttribute("aria-busy", Boolean(one.busy));
  element.dataset.status = one.gone ? "gone" : it.status;
  element.replaceChildren(
    head(one),
    text(it.source_text, it.source, it.source_text),
    make("div", { class: "sides" }, machine(it), corrected(one)),
    ...below(one),
  );
  if (focused) element.focus({ preventScroll: true });
}

function head(one) {
  const { it } = one;
  const box = make("input", { type: "checkbox", "aria-label": `${t("select")}: ${it.source_text.slice(0, 60)}`, onchange: (event) => act("select", one, event.target.checked) });
  box.checked = Boolean(one.selected);
  const facts = [
    `${it.source} → ${it.target}`,
    it.model_version && t("model", { name: it.model_version }),
    it.author_key ? t("key", { id: it.author_key.slice(0, 8) }) : t("anonymous"),
    it.status === "pending" && it.confirmations > 0 && count("confirmed", it.confirmations),
    it.trained_in.length > 0 && t("trained", { names: it.trained_in.join(", ") }),
  ];
  const when = make("time", { datetime: it.created_at, title: moment(it.created_at) }, age((Date.now() - new Date(it.created_at)) / 1000));
  return make("div", { class: "bar soft" }, box, make("span", { class: `chip ${TONES[it.status] ?? ""}` }, t(it.status)), when,
    facts.filter(Boolean).map((fact) => make("span", {}, fact)));
}

// `shown` is the text, or its pieces.
function text(whole, lang, ...shown) {
  const long = whole.length > LONG || whole.split("\n").length > 12;
  return make("p", { class: long ? "text long" : "text", tabindex: long && "0", lang, dir: "auto" }, ...shown);
}

const side = (name, ...content) => make("div", {}, make("h2", {}, t(name)), ...content);

function machine({ machine_translation: before, corrected_translation: after, target }) {
  if (!before) return side("machine", make("p", { class: "soft" }, t("unknown")));
  return side("machine", text(before, target, ...shownDifference(before, after, "removed")));
}

function corrected(one) {
  const { machine_translation: before, corrected_translation: after, target } = one.it;
  if (one.editing) return side("corrected", ...editor(one));
  return side("corrected", text(after, target, ...(before ? shownDifference(before, after, "added") : [after])));
}

function editor(one) {
  const box = make("textarea", {
    "aria-label": t("corrected"), lang: one.it.target, dir: "auto", rows: "3",
    oninput: () => { one.draft = box.value; },
    onkeydown: (event) => {
      if (event.key === "Escape") act("cancel", one);
      else if (event.key === "Enter" && event.ctrlKey) act("save", one);
    },
  });
  box.value = one.draft ?? one.it.corrected_translation;
  return [box, make("div", { class: "bar" }, button("save", one, "Ctrl+Enter"), one.it.status === "pending" && button("save_approve", one), button("cancel", one, "Esc"))];
}

function button(name, one, key, more) {
  const attributes = { "aria-keyshortcuts": key, class: name === "approve" || name === "save" ? "main" : null, onclick: () => act(name, one, more) };
  return make("button", attributes, t(name), key && " ", key && make("kbd", { "aria-hidden": "true" }, key));
}

function* below(one) {
  const { it } = one;
  if (it.marks?.length) yield make("ul", { class: "marks" }, it.marks.map((mark) => make("li", { class: "chip odd" }, plain(mark))));
  if (it.status === "rejected" && it.reason) yield make("p", { class: "text soft", dir: "auto" }, it.reason);
  if (it.status === "superseded") yield make("p", { class: "soft" }, t(it.reason?.startsWith("the same") ? "same" : "by"));
  if (one.problem) yield make("p", { class: "error", role: "alert" }, one.problem);
  if (one.gone) return;
  const offered = one.editing ? [] : OFFERED[it.status].map((name) => button(name, one, ACTIONS[name]));
  if (it.rivals > 0) offered.push(make("button", { class: "plain", "aria-expanded": String(Boolean(one.rivals)), onclick: () => act("rivals", one) }, count("rivals", it.rivals), " ", make("kbd", { "aria-hidden": "true" }, "o")));
  if (offered.length) yield make("div", { class: "bar does" }, offered);
  if (one.rivals) yield rivals(one);
}

// The others of the sentence, each with how it differs from this one.
function rivals(one) {
  const others = one.rivals.filter((other) => other.id !== one.it.id);
  return make("ul", { class: "rivals" }, others.map((other) => make("li", {},
    make("span", { class: `chip ${TONES[other.status] ?? ""}` }, t(other.status)),
    text(other.corrected_translation, other.target, ...shownDifference(one.it.corrected_translation, other.corrected_translation)),
    other.status !== "approved" && button("pick", one, null, other))), !others.length && make("li", {}, t("no_rivals")));
}

const PLAIN = [
  [/^numbers: (.+) (?:is|are) missing$/s, "missing"], [/^numbers: (.+) (?:is|are) not in the source$/s, "extra"],
  [/^(?:placeholders|kept): (.+) not as often as in the source$/s, "kept"],
  [/^length: (\S+) times longer/, "longer"], [/^length: (\S+) times shorter/, "shorter"], [/^repetition: (.+)$/s, "repetition"],
];

// A mark of the checks, in the words of the page.
function plain(mark) {
  for (const [pattern, name] of PLAIN) {
    const found = pattern.exec(mark);
    if (found) return t(`mark_${name}`, { x: found[1] });
  }
  const [code, detail] = mark.split(/: (.*)/s);
  if (code === "language") return t(detail.startsWith("source") ? "mark_source" : "mark_language", { x: t(detail.endsWith("English") ? "en" : "it") });
  const known = t(`mark_${code}`);
  return known === `mark_${code}` ? mark : known;
}
