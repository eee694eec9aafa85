// Decisions, one by one and many at once, and how they are taken back.
import { call, part, say, t } from "../lib.js";
import { beside, count, draw, focusOn, items, show, waits } from "./items.js";

export const PATH = "/v1/corrections";
const AT_ONCE = 1000; // the server's limit for one request
const history = []; // { ones, was, edited }: what can be taken back, the last at the end

export function explained(problem) {
  if (problem.status === 404) return t("gone");
  if (problem.status === 409) return t("conflict");
  if (problem.status === 403 && /second person/.test(problem.message)) return t("second");
  const errors = problem.body?.errors?.map((error) => error.message);
  return errors?.length ? errors.join("; ") : problem.message;
}

// Do `work` for `one`, which is as its answer tells then; what fails is said there.
async function run(one, work) {
  if (one.busy) return false;
  Object.assign(one, { busy: true, problem: "" });
  one.element?.setAttribute("aria-busy", "true");
  try {
    one.it = { ...one.it, ...await work() };
    one.selected = false;
    return true;
  } catch (problem) {
    one.problem = explained(problem);
    one.gone ||= problem.status === 404;
    if (!one.element?.isConnected) say(one.problem, "bad");
    return false;
  } finally {
    one.busy = false;
    if (one.element) draw(one);
    document.dispatchEvent(new Event("decided"));
  }
}

const post = (one, action, body) => call(`${PATH}/${one.it.id}/${action}`, { method: "POST", body });

const rivalsOf = async (one) => (await call(PATH, { query: { rivals_of: one.it.id, limit: 200, order: "oldest" } })).corrections;

// What else has changed with `one`: the others of its sentence, where they are shown.
async function refreshRivals(one) {
  let found;
  try {
    found = await rivalsOf(one);
  } catch {
    return; // they are as they were when they were loaded; the server refuses what is not so any more
  }
  for (const told of found) {
    const shown = items.get(told.id);
    if (!shown) continue;
    if (shown.rivals) shown.rivals = found;
    if (shown.editing) shown.it = { ...shown.it, ...told };
    else show(told);
  }
}

function told(action, one) {
  const did = count(action === "approve" && one.it.status === "pending" ? "half" : `did_${action}`, 1);
  say(`${did} “${one.it.corrected_translation.slice(0, 60)}”`);
}

// Approve or reject one, and go on to the next that waits.
export async function decide(one, action, body) {
  const was = one.it;
  if (one.gone || !await run(one, () => post(one, action, body))) return focusOn(one);
  history.push({ ones: [one], was: [was] });
  told(action, one);
  if (one.it.rivals) await refreshRivals(one);
  const stays = document.activeElement === document.body || one.element.contains(document.activeElement);
  if (stays) focusOn(beside(one, 1, waits) ?? one);
}

export async function pick(one, other) {
  const chosen = items.get(other.id) ?? { it: other };
  const was = chosen.it;
  let answer;
  if (!await run(one, async () => { answer = await post(chosen, "approve"); })) return;
  chosen.it = { ...was, ...answer };
  history.push({ ones: [chosen], was: [was] });
  told("approve", chosen);
  await refreshRivals(chosen);
  focusOn(one);
}

export async function toggleRivals(one) {
  if (one.rivals) one.rivals = null;
  else await run(one, async () => { one.rivals = await rivalsOf(one); });
  draw(one);
}

export function edit(one) {
  if (one.gone) return;
  Object.assign(one, { editing: true, problem: "" });
  draw(one);
  one.element.querySelector("textarea").focus();
}

export function cancel(one) {
  Object.assign(one, { editing: false, draft: undefined, problem: "" });
  draw(one);
  focusOn(one);
}

const patch = (one, text) => call(`${PATH}/${one.it.id}`, { method: "PATCH", body: { corrected_translation: text } });

export async function save(one, approve) {
  const was = one.it;
  const text = one.draft ?? was.corrected_translation;
  if (text !== was.corrected_translation) {
    if (!await run(one, () => patch(one, text))) return one.element.querySelector("textarea")?.focus();
    history.push({ ones: [one], was: [was], edited: true });
    say(t("did_edit"));
  }
  cancel(one);
  if (approve) await decide(one, "approve");
}

// The same about many in as few requests as may be: those it was done to, and what ended it early.
async function many(ones, action, reason) {
  const done = [];
  let problem = null;
  for (let start = 0; start < ones.length && !problem; start += AT_ONCE) {
    const batch = ones.slice(start, start + AT_ONCE);
    const asked = call(`${PATH}/bulk`, { method: "POST", body: { action, reason, ids: batch.map((one) => one.it.id) } });
    const { outcomes } = await asked.catch((failure) => { problem = failure; return { outcomes: [] }; });
    outcomes.forEach((outcome, place) => {
      const one = items.get(outcome.id) ?? batch[place];
      one.gone = outcome.status === null;
      one.problem = !outcome.problem ? "" : one.gone ? t("gone") : t("second");
      if (!outcome.problem) done.push(one);
      if (!one.gone) one.it = { ...one.it, status: outcome.status, confirmations: outcome.confirmations, reason: action === "reject" ? reason : null };
    });
  }
  for (const one of ones) if (one.element) draw(one);
  await Promise.all(ones.filter((one) => one.it.rivals).slice(0, 20).map(refreshRivals));
  document.dispatchEvent(new Event("decided"));
  return { done, problem };
}

export async function decideMany(ones, action, reason) {
  const was = new Map(ones.map((one) => [one, one.it]));
  const { done, problem } = await many(ones, action, reason);
  if (problem) say(explained(problem), "bad");
  if (problem && !done.length) return;
  for (const one of done) one.selected = false;
  done.forEach(draw);
  if (action !== "reopen" && done.length) history.push({ ones: done, was: done.map((one) => was.get(one)) });
  const are = (status) => (action === "approve" ? done.filter((one) => one.it.status === status).length : 0);
  const [half, beaten] = [are("pending"), are("superseded")];
  const parts = [[`did_${action}`, done.length - half - beaten], ["did_supersede", beaten], ["half", half], ["failed", ones.length - done.length]];
  say(parts.filter(([, n]) => n).map(([name, n]) => count(name, n)).join("; "), done.length < ones.length ? "bad" : "");
}

// Take back what was decided about `one`, else the last decision. `reload` shows what is not shown any more.
export async function undo(one, reload) {
  const own = history.findLast(({ ones }) => ones.length === 1 && ones[0].it.id === one?.it.id);
  const decided = one && one.it.status !== "pending" ? { ones: [one], was: [{ status: "pending" }] } : undefined;
  const entry = own ?? decided ?? history.at(-1);
  if (!entry) return say(t("nothing"));
  const ones = entry.ones.map((old) => items.get(old.it.id) ?? old);
  const done = await takenBack(ones, entry);
  if (!done && !ones[0].gone) return;
  if (history.includes(entry)) history.splice(history.indexOf(entry), 1);
  if (done) say(`${t("did_undo")}: ${t(ones[0].it.status)}`);
  if (ones[0].element?.isConnected) focusOn(ones[0]);
  else if (!part("queue").querySelector("[aria-expanded=true]")) await reload();
}

async function takenBack(ones, { was, edited }) {
  if (edited) return run(ones[0], () => patch(ones[0], was[0].corrected_translation));
  const back = (place) => (was[place].status === "approved" ? "approve" : "reopen");
  if (ones.length === 1) {
    if (!await run(ones[0], () => post(ones[0], back(0)))) return false;
    if (ones[0].it.rivals) await refreshRivals(ones[0]);
    return true;
  }
  for (const action of ["reopen", "approve"]) {
    const { problem } = await many(ones.filter((_, place) => back(place) === action), action);
    if (problem) return say(explained(problem), "bad");
  }
  return true;
}
