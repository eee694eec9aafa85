// One version: where it comes from, what it can do, how it learnt.
import { make, moment, number, part, t } from "../lib.js";
import { chips, curve, kindList, scoreList } from "./pictures.js";
import { gateTable, showReport } from "./report.js";

const phenomena = JSON.parse(part("phenomena").textContent);
const phenomenon = (name) => (Object.hasOwn(phenomena, name) ? phenomena[name] : name);

// The elements that show `one`, beside the current version, if that is another. `promote` is called with the button.
export function showVersion(one, beside, promote) {
  const { training, data, challenge, words, texts } = one;
  const button = one.current ? null : make("button", { class: "main", disabled: Boolean(one.problem), onclick: (event) => promote(event.currentTarget) }, t("promote"));
  const report = one.run_id && make("button", { onclick: () => showReport(one.run_id) }, t("report"));
  return [
    make("h2", { id: "version-title" }, one.version, " ", chips(one)),
    one.problem && make("p", { class: "bad" }, one.problem),
    (button || report) && make("p", { class: "bar" }, button, report),
    facts({
      descent: one.lineage.join(" ← "),
      trained_on: [
        one.corrections && t("learnt", { n: one.corrections }), training?.tokens && t("tokens", { n: number(training.tokens) }),
        training?.seconds && t("minutes", { n: Math.round(training.seconds / 60) }), training?.device, one.created && moment(one.created),
      ].filter(Boolean).join(" · "),
      data: [data?.corpora && t("data_is", { n: data.corpora, pairs: number(data.pairs) }), data?.replayed].filter(Boolean).join(" · "),
      parameters: training?.parameters && number(training.parameters),
      size: `${number(Math.round(one.size_bytes / 1e5) / 10)} MB`,
      weak: one.weak_at.map(phenomenon).join(", "),
    }),
    make("h3", {}, t("scores")),
    one.scores.length ? make("p", { class: "soft" }, sameSets(one, beside) ? t("scores_note", { version: beside.version }) : t("scores_alone")) : make("p", {}, t("no_scores")),
    one.scores.length > 0 && scoreList(one, beside),
    one.curve.length > 0 && [make("h3", {}, t("curve")), curve(one.curve, "bleu", "BLEU"), curve(one.curve, "nll", t("loss"))],
    one.gate.length > 0 && [make("h3", {}, t("gate")), gateTable(one.gate)],
    challenge && kinds("phenomena", challenge, phenomena, matchMedia("(min-width: 44rem)").matches),
    words && kinds("words", words, phenomena, false),
    texts && kinds("texts", texts, {}, false),
  ].flat().filter(Boolean);
}

const sameSets = (one, other) => other?.scores.some((score) => one.scores.some((mine) => mine.set === score.set));

const kinds = (title, checked, names, open) => make("details", { open },
  make("summary", {}, t(title, { passed: checked.passed, n: checked.items })), kindList(checked, names));

const facts = (known) => make("dl", {}, Object.entries(known).filter(([, value]) => value)
  .flatMap(([name, value]) => [make("dt", {}, t(name)), make("dd", {}, value)]));
