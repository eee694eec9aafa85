// The queue: filters, pages, what comes in meanwhile, keys.
import { fetched, keep, kept, make, part, say, t } from "../lib.js";
import { cancel, decide, decideMany, edit, PATH, pick, save, toggleRivals, undo } from "./decide.js";
import "./files.js";
import { beside, clear, count, currentItem, draw, focusOn, items, onAct, show, typing, waits } from "./items.js";
import { showNumbers } from "./numbers.js";

const LIMIT = 50; // corrections of a page
const POLL_MS = 5000;
const TYPING_MS = 300;
const filters = part("filters");
const fields = [...filters.elements];
const title = document.title;
let turn = 0; // of loading: what an older one brings is not shown
let cursor = null;
let total = 0; // of what was asked for, when it was loaded
let loaded = null; // when by the server's clock; null where new ones cannot be told from old ones
let waiting; // for the end of typing

// --- filters, which are kept in the address

const usual = (field) => (field.options ? ([...field.options].find((option) => option.defaultSelected) ?? field.options[0]).value : field.defaultValue);

function readAddress() {
  const wanted = new URLSearchParams(location.search);
  for (const field of fields) {
    const value = wanted.get(field.name) ?? usual(field);
    field.value = value;
    if (field.value !== value) field.value = usual(field);
  }
}

function writeAddress() {
  const address = new URL(location.href);
  for (const field of fields) {
    if (field.value === usual(field)) address.searchParams.delete(field.name);
    else address.searchParams.set(field.name, field.value);
  }
  window.history.replaceState(null, "", address);
}

function query() {
  const { from, until, ...wanted } = Object.fromEntries(new FormData(filters));
  return { ...wanted, created_after: midnight(from, 0), created_before: midnight(until, 1) };
}

function midnight(day, later) {
  if (!day) return "";
  const moment = new Date(`${day}T00:00`);
  moment.setDate(moment.getDate() + later);
  return moment.toISOString();
}

filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("input", (event) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => { writeAddress(); load(); }, event.target.type === "search" ? TYPING_MS : 0);
});
window.addEventListener("beforeunload", (event) => { if (typing().length) event.preventDefault(); });

// --- pages

async function load() {
  cursor = null;
  if (!await take()) return false;
  if (part("numbers").open) showNumbers(query().pair);
  return true;
}

// The next page, or with no cursor the first in the place of all that is shown; says whether it came.
async function take() {
  const mine = ++turn;
  part("queue").setAttribute("aria-busy", "true");
  part("more").disabled = true;
  try {
    const response = await fetched(PATH, { query: { ...query(), limit: LIMIT, cursor } });
    const page = await response.json();
    if (mine !== turn) return false;
    if (!cursor) started(response);
    page.corrections.forEach(show);
    cursor = page.next_cursor;
    total = page.total;
    tellTotal();
    part("failed").hidden = true;
    return true;
  } catch (problem) {
    if (mine === turn) failed(problem);
    return false;
  } finally {
    if (mine === turn) {
      part("queue").setAttribute("aria-busy", "false");
      Object.assign(part("more"), { disabled: false, hidden: !cursor });
    }
  }
}

// Whether `one` is still what was asked for.
const belongs = (one) => !one.gone && (!filters.elements.status.value || one.it.status === filters.elements.status.value);

function tellTotal() {
  const left = total - [...items.values()].filter((one) => !belongs(one)).length;
  part("total").textContent = left > 0 ? count("total", left) : t("total_0");
}

function started(response) {
  clear();
  marked();
  loaded = new Date(response.headers.get("Date") ?? Date.now());
  tellFresh(0);
}

function failed(problem) {
  part("failed").replaceChildren(problem.message, " ", make("button", { onclick: () => take() }, t("retry")));
  part("failed").hidden = false;
}

part("more").addEventListener("click", async () => {
  const last = beside(null, -1);
  if (await take()) focusOn(beside(last, 1) ?? last);
});

// --- what comes in meanwhile

function tellFresh(n) {
  part("fresh").hidden = !n;
  part("fresh").textContent = n ? count("fresh", n) : "";
  document.title = n ? `(${n}) ${title}` : title;
}

async function poll() {
  if (document.hidden || !loaded) return;
  const mine = turn;
  const wanted = query();
  if (!wanted.created_after || new Date(wanted.created_after) < loaded) wanted.created_after = loaded.toISOString();
  try {
    const page = await (await fetched(PATH, { query: { ...wanted, order: "newest", limit: LIMIT }, quiet: true })).json();
    const known = page.corrections.filter((told) => items.has(told.id)).length;
    if (mine === turn) tellFresh(page.total - known);
  } catch (problem) {
    if (problem.status === 401 || problem.status === 403) loaded = null; // or the key would be asked for every time
  }
}

setInterval(poll, POLL_MS);
document.addEventListener("visibilitychange", poll);
part("fresh").addEventListener("click", async () => {
  if (await load()) focusOn(beside(null, 1));
});

// --- decisions

const dialog = part("reject");

function reason() {
  dialog.returnValue = "";
  part("reason").value = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    const { returnValue } = dialog;
    resolve(returnValue === "yes" ? part("reason").value.trim() : returnValue);
  }, { once: true }));
}

part("reasons").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) dialog.close(button.value);
});
dialog.addEventListener("keydown", (event) => {
  if (event.target !== part("reason")) part("reasons").children[Number(event.key) - 1]?.click();
});

async function reject(one) {
  if (one.gone || one.it.status === "rejected") return;
  const why = await reason();
  if (why) await decide(one, "reject", { reason: why });
  else focusOn(one);
}

function select(ones, on) {
  for (const one of ones) {
    one.selected = on && !one.gone;
    draw(one);
  }
  marked();
}

const selected = () => [...items.values()].filter((one) => one.selected);

function marked() {
  const { length } = selected();
  part("bulk").hidden = !length;
  part("chosen").textContent = count("chosen", length);
  part("every").checked = length > 0 && [...items.values()].every((one) => one.selected || !belongs(one));
}

part("every").addEventListener("change", (event) => select([...items.values()].filter((one) => belongs(one) || !event.target.checked), event.target.checked));
document.addEventListener("decided", () => { marked(); tellTotal(); });

part("bulk").addEventListener("click", async (event) => {
  const action = event.target.closest("button")?.dataset.do;
  if (action === undefined) return;
  const ones = selected();
  if (!action) select(ones, false);
  const why = action === "reject" ? await reason() : undefined;
  if (action && (why || action !== "reject")) await decideMany(ones, action, why);
  marked();
  const last = ones.at(-1);
  focusOn(ones.find((one) => one.problem) ?? (action ? beside(last, 1, waits) : null) ?? last);
});

const DOES = {
  approve: (one) => decide(one, "approve"), pick, edit, cancel, select: (one, on) => select([one], on), rivals: toggleRivals, reject,
  save: (one) => save(one), save_approve: (one) => save(one, true), undo: (one) => undo(one, load),
};
onAct((name, one, more) => DOES[name](one, more));

// --- keys

const move = (step) => () => focusOn(beside(currentItem(), step) ?? currentItem());
const open = (status) => status === "pending" || status === "approved";
const of = (does) => () => currentItem() && does(currentItem());
const KEYS = {
  j: move(1), ArrowDown: move(1), k: move(-1), ArrowUp: move(-1), x: of((one) => select([one], !one.selected)),
  a: of((one) => one.it.status !== "approved" && DOES.approve(one)), r: of(reject),
  e: of((one) => { if (open(one.it.status)) edit(one); }), u: () => undo(currentItem(), load),
  o: of((one) => { if (one.it.rivals) toggleRivals(one); }),
  "/": () => filters.elements.text.focus(), "?": () => part("help").showModal(),
};
const TYPED = "input:not([type=checkbox]), select, textarea";
const keysOn = part("keys-on");
let before = Promise.resolve(); // a key waits for the decision before it: it is meant for what is reached then

document.addEventListener("keydown", (event) => {
  const arrow = event.key.startsWith("Arrow");
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !keysOn.checked) return;
  if (event.target.closest(TYPED) || (arrow && event.target.closest(".long")) || document.querySelector("dialog[open]")) return;
  if (!Object.hasOwn(KEYS, event.key) || (event.repeat && !arrow && !"jk".includes(event.key))) return;
  event.preventDefault();
  before = before.then(KEYS[event.key]).catch((failure) => say(failure.message, "bad"));
});

keysOn.checked = kept("keys", true);
keysOn.addEventListener("change", () => keep("keys", keysOn.checked));
part("keys").addEventListener("click", () => part("help").showModal());
part("numbers").addEventListener("toggle", (event) => { if (event.target.open) showNumbers(query().pair); });
document.addEventListener("imported", () => load());

readAddress();
load();
