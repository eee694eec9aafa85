// Figures as pictures: drawn as SVG, and said in words for who does not see them.
import { drawn, make, number, t } from "../lib.js";

export const short = (value) => number(Math.round(value * 10) / 10);
const percent = (value) => `${Math.max(0, Math.min(100, value))}%`;

const KINDS = { current: "good", retired: "", candidate: "odd", refused: "bad" };

// What became of a version.
export const chips = (one) => [
  make("span", { class: `chip ${KINDS[one.status]}` }, t(one.status)), " ",
  one.loaded && make("span", { class: "chip" }, t("loaded")), " ",
  one.problem && make("span", { class: "chip bad" }, t("damaged")),
];

// What people call a set of sentences.
export function setName(name) {
  if (name.startsWith("gate: ")) return t("gate_set", { set: setName(name.slice(6)) });
  const [set, ...more] = name.split(", ");
  const known = t(`set_${set}`);
  return [known.startsWith("set_") ? set : known, ...more].join(", ");
}

// The score that tells most of a version.
export const scoreOf = (one) => ["tatoeba.test", "general", "gate: general"].map((set) => one.scores.find((score) => score.set === set)).find(Boolean) ?? one.scores.find((score) => score.bleu !== null);

function bar(value, interval, kind, y, height) {
  const middle = y + height / 2;
  const at = (place, from, to) => drawn("line", { class: "whisker", x1: percent(place), x2: percent(place), y1: `${from}%`, y2: `${to}%` });
  return [
    drawn("rect", { class: kind, width: percent(value), y: `${y}%`, height: `${height}%` }),
    interval && drawn("line", { class: "whisker", x1: percent(interval[0]), x2: percent(interval[1]), y1: `${middle}%`, y2: `${middle}%` }),
    interval && interval.map((place) => at(place, y, y + height)),
  ].flat();
}

// A bar of 0 to 100 with whiskers; below it that of the other version, if it has one.
function bars(one, other, said) {
  const whole = drawn("rect", { class: "ground", width: "100%", height: "100%" });
  const second = other ? bar(other.value, other.interval, "bar-two", 66, 26) : [];
  return drawn("svg", { role: "img", "aria-label": said, class: other ? "bars two" : "bars" }, whole, bar(one.value, one.interval, "bar-one", other ? 8 : 20, other ? 50 : 60), second);
}

const told = (one) => `${short(one.value)}${one.interval ? ` (${t("from_to", { low: short(one.interval[0]), high: short(one.interval[1]) })})` : ""}`;

// All scores of `one`, beside those of `other` on the same sets.
export function scoreList(one, other) {
  const measured = (score, measure, name) => {
    const of = (found) => found && found[measure] !== null && { value: found[measure], interval: found[`${measure}_interval`] };
    const mine = of(score);
    if (!mine) return null;
    const theirs = of(other?.scores.find((found) => found.set === score.set));
    const said = `${name} ${told(mine)}${theirs ? `; ${other.version}: ${told(theirs)}` : ""}`;
    return [make("span", { class: "measure" }, name), bars(mine, theirs, said), make("span", { class: "number" }, short(mine.value))];
  };
  return make("ul", { class: "scores" }, one.scores.map((score) => make("li", {},
    make("span", { class: "name" }, setName(score.set)), measured(score, "bleu", "BLEU"), measured(score, "chrf", "chrF"))));
}

// How many of each kind are right, the weakest first. `names` has what people call the kinds.
export function kindList(checked, names) {
  const kinds = [...checked.kinds].sort((one, other) => one.passed / one.items - other.passed / other.items);
  return make("ul", { class: "kinds" }, kinds.map((kind) => make("li", {},
    make("span", { class: "name" }, Object.hasOwn(names, kind.name) ? names[kind.name] : kind.name),
    bars({ value: 100 * kind.passed / kind.items }, null, `${kind.passed} / ${kind.items}`),
    make("span", { class: "number", "aria-hidden": "true" }, `${kind.passed} / ${kind.items}`))));
}

// The learning curve of all that is measured as `measure`, `bleu` or `nll`; nothing if nothing is.
export function curve(points, measure, title) {
  const names = [...new Set(points.flatMap((point) => Object.keys(point.values)))].filter((name) => name.split(" ").at(-1) === measure).slice(0, 3);
  const lines = names.map((name) => points.filter((point) => name in point.values).map((point) => [point.tokens, point.values[name]]));
  const all = lines.flat();
  if (all.length < 2) return null;
  const right = Math.max(...all.map(([tokens]) => tokens)) || 1;
  const top = Math.max(...all.map(([, value]) => value)) || 1;
  const best = measure === "bleu" ? Math.max : Math.min;
  const label = (name) => (name === measure ? t("in_training") : setName(name.slice(0, -measure.length - 1)));
  const said = lines.map((line, index) => t("line", {
    name: label(names[index]), first: short(line[0][1]), last: short(line.at(-1)[1]), best: short(best(...line.map(([, value]) => value))),
  }));
  const way = (line) => line.map(([tokens, value]) => `${(100 * tokens / right).toFixed(2)},${(100 - 97 * value / top).toFixed(2)}`).join(" ");
  return make("figure", {},
    make("figcaption", {}, make("b", {}, title), names.map((name, index) => make("span", { class: `key line-${index}` }, label(name)))),
    make("div", { class: "up", "aria-hidden": "true" }, make("span", {}, short(top)), make("span", {}, short(top / 2)), make("span", {}, "0")),
    drawn("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img", "aria-label": `${title}. ${said.join(". ")}` },
      lines.map((line, index) => drawn("polyline", { class: `line-${index}`, points: way(line) }))),
    make("div", { class: "across" }, make("span", {}, "0"), make("span", {}, `${short(right / 1e6)} ${t("millions")}`)));
}
