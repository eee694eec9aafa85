// Retraining: begin it, watch it, stop it; and what came of the runs before.
import { ask, call, fetched, make, part, Problem, say, t } from "../lib.js";
import { about, showReport, state, STATES } from "./report.js";

const PATH = "/v1/retraining";
const SHOWN = 10;
const SILENT_MS = 30_000; // the server says something every ten seconds
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
const STAGES = ["reading", "validating", "training", "measuring", "gating"];
let what = () => ({}); // the pair and its current version
let watching = null; // the id of the run that is shown as it goes on
let facts = {}; // of that run
let told; // of its last stage: a text, and the begin by our clock
let isLost = false;
let ticking;
let ended = () => {};

// `chosen` gives what is looked at; `listener` hears of ends.
export const prepare = (chosen, listener) => { [what, ended] = [chosen, listener]; };

// Show all runs, and follow one that goes on.
export async function showRuns() {
  try {
    const { runs } = await call(PATH);
    const shown = runs.slice(0, SHOWN).map((run) => make("li", {},
      make("p", { class: "bar" }, state(run.state), about(run),
        run.has_report && make("button", { class: "plain", "aria-label": `${t("report")}: ${run.candidate}`, onclick: () => showReport(run.id) }, t("report"))),
      !run.has_report && run.log && make("p", { class: "soft", lang: "en" }, run.log)));
    part("runs").replaceChildren(...(shown.length ? shown : [make("li", { class: "soft" }, t("no_runs"))]));
    const going = runs.find((run) => run.state === "running");
    if (going && watching === null) watch(going.id, going);
  } catch (problem) {
    tell(problem.message, "bad");
  }
}

function tell(text, kind) {
  part("end").className = kind;
  part("end").textContent = text;
}

part("begin").addEventListener("submit", async (event) => {
  event.preventDefault();
  const dry = part("dry").checked;
  if (!await ask(`${t("ask_retrain", what())} ${t(dry ? "ask_dry" : "ask_gate")}`, part("retrain").textContent)) return;
  tell("", "");
  starting(t("begins"));
  try {
    const { id } = await call(PATH, { method: "POST", body: { pair: what().pair, dry_run: dry } });
    watch(id, { pair: what().pair, parent: what().current });
    showRuns();
  } catch (problem) {
    over();
    tell(problem.message, "bad");
  }
});

part("stop").addEventListener("click", async () => {
  if (!watching || !await ask(t("ask_stop", { pair: facts.pair, current: facts.parent }), part("stop").textContent)) return;
  part("stop").disabled = true;
  try {
    await call(`${PATH}/${watching}/stop`, { method: "POST" });
    part("stage").textContent = t("stopping");
  } catch (problem) {
    part("stop").disabled = false;
    say(problem.message, "bad");
  }
});

function starting(text) {
  part("run").hidden = false;
  part("retrain").disabled = true;
  part("stop").disabled = true;
  part("stage").textContent = text;
  part("progress").value = 0;
  told = null;
  isLost = false;
  tick();
  clearInterval(ticking);
  ticking = setInterval(tick, 1000);
}

// Between events, which may be far apart.
function tick() {
  const seconds = Math.floor((Date.now() - told?.began) / 1000);
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  part("seconds").textContent = isLost ? t("lost") : told ? `${told.text} · ${time}` : "";
}

function over() {
  clearInterval(ticking);
  part("run").hidden = true;
  part("retrain").disabled = false;
}

// Follow the run `id` until it ends; a connection that is lost is made again.
async function watch(id, known) {
  watching = id;
  facts = known;
  starting(t("begins"));
  part("stop").disabled = false;
  let last = 0;
  let wait = FIRST_WAIT_MS;
  for (let end = null; end === null;) {
    try {
      end = await listened(id, last, (event) => { last = event.id; wait = FIRST_WAIT_MS; show(event); });
    } catch (problem) {
      const gone = problem.status === 404 && wait === LONGEST_WAIT_MS; // one that was just begun may not be known yet
      if (gone || (problem instanceof Problem && [401, 403].includes(problem.status))) end = { state: "", log: problem.message };
      else isLost = true;
      tick();
    }
    if (end) finish(id, end);
    else await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(2 * wait, LONGEST_WAIT_MS);
  }
}

// Read events until the last one, which is given back, or until the connection ends: null.
async function listened(id, last, take) {
  const gone = new AbortController();
  let silence;
  const heard = () => { clearTimeout(silence); silence = setTimeout(() => gone.abort(), SILENT_MS); };
  heard();
  try {
    const response = await fetched(`${PATH}/${id}/events`, { headers: { "Last-Event-ID": String(last) }, signal: gone.signal });
    isLost = false;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = "", more = await reader.read(); !more.done; more = await reader.read()) {
      heard();
      const blocks = (text + more.value).split("\n\n");
      text = blocks.pop();
      for (const event of blocks.map(parsed)) {
        if (event.event === "end") return event.data;
        if (event.event) take(event);
      }
    }
    return null;
  } finally {
    clearTimeout(silence);
    gone.abort();
  }
}

function parsed(block) {
  const fields = Object.fromEntries(block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
  return { event: fields.event, id: Number(fields.id), data: fields.data ? JSON.parse(fields.data) : {} };
}

function show({ event, data }) {
  if (event === "begun") Object.assign(facts, data);
  if (event !== "stage") return;
  const name = t(`stage_${data.stage}`, { number: data.number, n: data.number });
  if (part("stage").textContent !== name && !part("stop").disabled) part("stage").textContent = name; // said only once
  told = {
    text: `${facts.pair} · ${data.done} / ${data.total}`,
    began: Math.min(told?.began ?? Infinity, Date.now() - 1000 * data.seconds), // it may be late
  };
  tick();
  part("progress").value = (Math.max(0, STAGES.indexOf(data.stage)) + data.done / data.total) / STAGES.length;
}

async function finish(id, end) {
  watching = null;
  over();
  tell([end.state && `${end.candidate}: ${t(`state_${end.state}`)}.`, end.log].filter(Boolean).join(" "), STATES[end.state] ?? "bad");
  await ended();
  await showRuns();
  if (["promoted", "kept", "rejected"].includes(end.state)) await showReport(id, false);
}
