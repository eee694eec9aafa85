// The gate's report on a retraining: figures, and the sentences that changed.
import { call, make, moment, number, part, root, shownDifference, t } from "../lib.js";
import { setName } from "./pictures.js";

const MOST = 50; // sentences of a set that are shown
const list = (value) => (Array.isArray(value) ? value : []);
const text = (value) => (value == null ? "" : String(value));
const plain = (value) => (Number.isFinite(value) ? number(Math.round(value * 100) / 100).replace("-", "−") : "–");
const signed = (value) => (value > 0 ? `+${plain(value)}` : plain(value));

export function gateTable(sets) {
  const heads = ["", "measure", "before", "after", "change", ""].map((name, column) => (
    name ? make("th", { scope: "col", class: column > 1 ? "number" : null }, t(name)) : make("td")));
  return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": t("gate") }, make("table", {}, make("thead", {}, make("tr", {}, heads)),
    make("tbody", {}, list(sets).map((one) => make("tr", {},
      make("th", { scope: "row" }, setName(text(one.set ?? one.name))), make("td", {}, text(one.measure)),
      ...[plain(one.before), plain(one.after)].map((value) => make("td", { class: "number" }, value)),
      make("td", { class: "number" }, signed(one.delta), list(one.interval).length === 2 && make("span", { class: "soft" }, ` (${signed(one.interval[0])} … ${signed(one.interval[1])})`)),
      make("td", {}, make("span", { class: `chip ${one.passed ? "good" : "bad"}` }, one.passed ? `✓ ${t("passes")}` : `✗ ${t("fails")}`), make("span", { class: "soft", lang: "en" }, ` ${text(one.why)}`)))))));
}

function sentence(one) {
  const [kind, sign] = one.gain < 0 ? ["worse", "▼"] : ["better", "▲"];
  return make("li", {},
    make("p", {}, make("span", { class: `chip ${kind === "worse" ? "bad" : "good"}` }, `${sign} ${t(kind)} ${signed(one.gain)}`), " ", text(one.source)),
    make("p", { class: "text" }, shownDifference(text(one.before), text(one.after))),
    one.reference && make("p", { class: "soft" }, t("wanted"), text(one.reference)));
}

// Show the report of the run `id`; `go` is false where nobody asked to be led there.
export async function showReport(id, go = true) {
  const box = part("report");
  const close = make("button", { class: "plain", onclick: () => { box.hidden = true; part("runs-title").focus(); } }, t("close"));
  const title = (name) => make("h2", { id: "report-title" }, name);
  try {
    const run = await call(`/v1/retraining/${encodeURIComponent(id)}`);
    const { report } = run;
    const sets = list(report?.sets);
    const out = list(report?.left_out).length;
    const why = text(report?.answers?.why);
    box.replaceChildren(...[
      title(t("report_of", { version: run.candidate })),
      make("p", {}, state(run.state), " ", about(run)),
      run.log && make("p", { class: "text bad", lang: "en" }, run.log),
      why && !run.log.includes(why) && make("p", { lang: "en" }, why),
      out && make("p", {}, t("left_out", { n: out, all: run.corrections })),
      (out || run.state === "rejected") && make("p", {}, make("a", { href: `${root}/review?status=approved&pair=${run.pair}` }, t("look"))),
      report ? gateTable(sets) : make("p", {}, t("no_report")),
      sets.filter((one) => list(one.changed).length).map((one) => [
        make("h3", {}, t("changed", { set: setName(text(one.name)) })), make("ul", { class: "changed" }, one.changed.slice(0, MOST).map(sentence)), one.changed.length > MOST && make("p", { class: "soft" }, t("and_more", { n: one.changed.length - MOST })),
      ]),
      close,
    ].flat(2).filter(Boolean));
  } catch (problem) {
    box.replaceChildren(title(t("report")), make("p", { class: "error" }, problem.message), close);
  }
  box.hidden = false;
  if (go) box.focus();
}

export const STATES = { promoted: "good", kept: "good", rejected: "bad", failed: "bad", interrupted: "" };
export const state = (name) => make("span", { class: `chip ${STATES[name] ?? ""}` }, t(`state_${name}`));
export const about = (run) => `${run.pair} · ${run.parent} → ${run.candidate} · ${moment(run.started_at)} · ${t("learnt", { n: run.corrections })}`;
