// What the pages share: words, elements, calls to the API, differences between texts.

export const part = (id) => document.getElementById(id);
export const page = document.body.dataset;
export const root = page.root;
export const language = document.documentElement.lang;

const words = JSON.parse(part("words").textContent);

// The words for `name` in the page's language; `{n}` stands for values.n. Where n is 1, `name_one` goes first.
export function t(name, values = {}) {
  const form = words[values.n === 1 ? `${name}_one` : name] ?? words[name] ?? name;
  return form.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? values[key] : whole));
}

const locale = navigator.languages.find((one) => one.startsWith(language)) ?? language; // British or American dates
const numbers = new Intl.NumberFormat(locale);
const moments = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
export const number = (value) => numbers.format(value);
export const moment = (text) => moments.format(new Date(text));

// An element: attributes, `on...` for listeners, `data` for a dataset; children are elements or text, never markup.
export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "data") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

// Say what is wrong in the part `id`; nothing hides it.
export function showError(id, message) {
  part(id).textContent = message;
  part(id).hidden = !message;
}

// Tell everybody, also who listens to a screen reader.
export function say(text, kind = "") {
  const told = make("p", { class: kind }, text);
  part("said").append(told);
  setTimeout(() => told.remove(), 6000);
}

function opened(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

// Whether the person says yes to `text`; `yes` is what the button says.
export function ask(text, yes) {
  part("ask-text").textContent = text;
  if (yes) part("ask-yes").textContent = yes;
  return opened(part("ask"));
}

// What the browser keeps, as JSON; a browser that keeps nothing for this page is no error. `area` is localStorage, or
// sessionStorage for what shall go with the tab.
export function kept(name, fallback = null, area = "localStorage") {
  try {
    return JSON.parse(window[area].getItem(`traghetto.${name}`)) ?? fallback;
  } catch {
    return fallback;
  }
}

// Null forgets it.
export function keep(name, value, area = "localStorage") {
  try {
    if (value === null) window[area].removeItem(`traghetto.${name}`);
    else window[area].setItem(`traghetto.${name}`, JSON.stringify(value));
  } catch { /* it is full, or switched off */ }
}

const key = () => kept("key", null, "sessionStorage");

let asking = null; // the answer that all who need a key wait for

// Whether there is a key now that is another than `used`, which was refused for the reason `why`.
function newKey(used, why) {
  if (key() !== used) return Promise.resolve(true);
  asking ??= askKey(why).finally(() => { asking = null; });
  return asking;
}

async function askKey(why) {
  part("key-why").textContent = why;
  if (!await opened(part("key"))) return false;
  keep("key", part("key-value").value.trim(), "sessionStorage");
  part("key-value").value = "";
  part("forget").hidden = false;
  return true;
}

export const random = () => Array.from(crypto.getRandomValues(new Uint8Array(24)), (byte) => byte.toString(16).padStart(2, "0")).join("");

// Shows the server who sent a correction, without a key; sent with nothing else.
function session() {
  const token = kept("session") ?? random();
  keep("session", token);
  return token;
}

// Said in the page's language where there are words for its kind, else as the server says it.
export class Problem extends Error {
  constructor(status, body, retryAfter = 0) {
    const kind = (body.type || "").split("/").pop(), own = words[`problem_${kind}`];
    super(own && language !== "en" ? t(`problem_${kind}`, { n: retryAfter }) : body.detail || body.title || `HTTP ${status}`);
    Object.assign(this, { status, body, retryAfter, kind, detail: body.detail ?? "" });
  }
}

const SECONDS = 120, SECONDS_OF_FILES = 600; // for an answer to begin

// The server's answer to a request, as it comes: for files and streams. `body` is sent as JSON, `raw` as it is. Where
// a key is needed the person is asked for one, unless the request is `quiet`: one that nobody asked for.
export async function fetched(path, options = {}) {
  const { method = "GET", query = {}, body, raw, headers = {}, signal, quiet } = options;
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value != null));
  const sent = { ...(path.startsWith("/v1/corrections") ? { "X-Traghetto-Session": session() } : {}), ...headers };
  const used = key();
  if (used) sent.Authorization = `Bearer ${used}`;
  if (method !== "GET" && method !== "DELETE" && !sent["Content-Type"]) sent["Content-Type"] = "application/json";
  const response = await answered(`${root}${path}${search.size ? `?${search}` : ""}`, {
    method, headers: sent, body: raw ?? (body === undefined ? undefined : JSON.stringify(body)),
  }, signal);
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  const problem = new Problem(response.status, told, Number(response.headers.get("Retry-After")) || 0);
  if (quiet || !needsKey(problem) || !await newKey(used, problem.message)) throw problem;
  return fetched(path, options);
}

// A second person's approval is no matter of keys.
const needsKey = ({ status, kind, detail }) => status === 401 || kind === "admin-closed" || (kind === "forbidden" && /scope/.test(detail));

async function answered(address, options, signal) {
  const own = new AbortController();
  const stop = () => own.abort();
  signal?.addEventListener("abort", stop, { once: true });
  const timer = setTimeout(stop, 1000 * (options.body instanceof Blob ? SECONDS_OF_FILES : SECONDS));
  try {
    return await fetch(address, { ...options, signal: own.signal });
  } catch (failure) {
    if (signal?.aborted) throw failure;
    throw new Problem(0, { detail: t("unreachable") });
  } finally {
    clearTimeout(timer);
  }
}

// The JSON that the server answers; null where it answers nothing.
export async function call(path, options) {
  const response = await fetched(path, options);
  return response.status === 204 ? null : response.json();
}

export async function save(response, name) {
  saveBlob(await response.blob(), name);
}

export function saveBlob(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export async function copied(button, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no clipboard without HTTPS
    part("copy-text").value = text;
    part("by-hand").showModal();
    part("copy-text").select();
    return;
  }
  const before = button.textContent;
  if (before === t("copied")) return;
  button.textContent = t("copied");
  setTimeout(() => { button.textContent = before; }, 1500);
}

// Files that are dropped on `element` go to `take`.
export function onDrop(element, take) {
  const over = (on) => (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    element.classList.toggle("over", on);
  };
  element.addEventListener("dragover", over(true));
  element.addEventListener("dragleave", over(false));
  element.addEventListener("drop", (event) => {
    over(false)(event);
    if (event.dataTransfer?.files.length) take([...event.dataTransfer.files]);
  });
}

const MOST = 600; // words of a side: beyond, the middle is shown as one change

// What changed from `before` to `after`, word by word: [kind, text] with kind "same", "removed" or "added". By the
// longest common subsequence, after what both begin and end with.
export function difference(before, after) {
  const [one, two] = [before, after].map((text) => text.match(/\s+|[^\s\p{L}\p{N}]|[\p{L}\p{N}'’]+/gu) ?? []);
  let first = 0, last = 0;
  while (first < one.length && one[first] === two[first]) first += 1;
  while (last < Math.min(one.length, two.length) - first && one.at(-1 - last) === two.at(-1 - last)) last += 1;
  const middle = (all) => all.slice(first, all.length - last);
  const changes = [["same", one.slice(0, first)], ...common(middle(one), middle(two)), ["same", one.slice(one.length - last)]];
  return joined(changes.map(([kind, pieces]) => [kind, pieces.join("")]).filter(([, text]) => text));
}

// Neighbours as one; a mere space between two changes belongs to both, so that phrases stand beside phrases.
function joined(changes) {
  const found = [];
  let gone = "", come = "";
  changes.forEach(([kind, text], index) => {
    const between = kind === "same" && (gone || come) && !text.trim() && changes[index + 1] && changes[index + 1][0] !== "same";
    if (kind === "removed" || between) gone += text;
    if (kind === "added" || between) come += text;
    if ((kind === "same" && !between) || index === changes.length - 1) {
      if (gone.trim()) found.push(["removed", gone]);
      if (come.trim()) found.push(["added", come]);
      if (kind === "same") found.push([kind, text]);
      gone = come = "";
    }
  });
  return found;
}

function common(one, two) {
  if (one.length > MOST || two.length > MOST) return [["removed", one], ["added", two]];
  const longest = Array.from({ length: one.length + 1 }, () => new Uint16Array(two.length + 1));
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = two.length - 1; j >= 0; j -= 1) {
      longest[i][j] = one[i] === two[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const changes = [];
  let i = 0, j = 0;
  while (i < one.length || j < two.length) {
    if (i < one.length && j < two.length && one[i] === two[j]) changes.push(["same", [one[i]]]), i += 1, j += 1;
    else if (j === two.length || (i < one.length && longest[i + 1][j] >= longest[i][j + 1])) changes.push(["removed", [one[i]]]), i += 1;
    else changes.push(["added", [two[j]]]), j += 1;
  }
  return changes;
}

// The difference as elements: <del> and <ins>. `only` "removed" or "added" leaves the other side out.
export function shownDifference(before, after, only) {
  return difference(before, after)
    .filter(([kind]) => kind === "same" || !only || kind === only)
    .map(([kind, text]) => (kind === "same" ? text : make(kind === "added" ? "ins" : "del", {}, text)));
}

// What was given once can be taken back: a key in this tab.
part("forget").hidden = !key();
part("forget").addEventListener("click", () => { keep("key", null, "sessionStorage"); location.reload(); });

part("ui")?.addEventListener("click", (event) => { // keep what the address says of the page
  const here = new URL(location.href);
  here.searchParams.set("ui", event.currentTarget.hreflang);
  event.currentTarget.href = here.href;
});
