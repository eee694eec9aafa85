// Numbers about corrections, as pictures with their text beside them.
import { call, drawn, make, number, part, t } from "../lib.js";
import { age, count } from "./items.js";

const STATUSES = ["pending", "approved", "rejected", "superseded"];
const OF_DAY = ["submitted", "approved", "rejected"];
const TALL = 60; // of the picture of days, in its own units
const WIDE = 10; // of a day

// Of one pair, or of all.
export async function showNumbers(pair) {
  const place = part("numbers").querySelector("div");
  let pairs;
  try {
    ({ pairs } = await call("/v1/corrections/statistics"));
  } catch (problem) {
    return place.replaceChildren(make("p", { class: "error" }, problem.message));
  }
  const found = Object.entries(pairs).filter(([name]) => !pair || name === pair).map(([, numbers]) => numbers);
  if (!found.length) return place.replaceChildren(t("total_0"));
  place.replaceChildren(statuses(found), days(found), learned(found), make("ul", {}, rest(found).map((line) => make("li", {}, line))));
}

const sum = (all, of) => all.reduce((before, one) => before + of(one), 0);
const named = (status, n) => `${number(n)} ${t(status === "pending" || status === "submitted" ? status : `${status}_n`)}`;

function statuses(found) {
  return stacked("by_status", STATUSES.map((status) => {
    const n = sum(found, (one) => one.by_status[status]);
    return [status, n, named(status, n)];
  }));
}

function learned(found) {
  const trained = sum(found, (one) => one.trained_in_current);
  const other = sum(found, (one) => one.by_status.approved) - trained;
  return stacked("by_model", [["pending", trained, count("learned", trained)], ["approved", other, count("not_learned", other)]]);
}

// One bar of [kind, number, words] side by side.
function stacked(name, parts) {
  const all = sum(parts, ([, n]) => n) || 1;
  let left = 0;
  const bars = parts.map(([kind, n]) => {
    left += n / all * 100;
    return drawn("rect", { class: kind, x: left - n / all * 100, width: n / all * 100, height: 3 });
  });
  return picture(name, { viewBox: "0 0 100 3", class: "stacked" }, bars, parts.map(([kind, , words]) => [kind, words]));
}

function days(found) {
  const all = found[0].by_day.map(({ day }, place) => {
    const totals = OF_DAY.map((name) => [name, sum(found, (one) => one.by_day[place][name])]);
    return { day, ...Object.fromEntries(totals) };
  });
  const most = Math.max(1, ...all.map((day) => Math.max(day.submitted, day.approved + day.rejected)));
  const bar = (name, n, below, x) => drawn("rect", { class: name, x, y: TALL - (n + below) / most * TALL, width: 4, height: n / most * TALL });
  const columns = all.map((day, place) => drawn("g", {},
    drawn("title", {}, `${day.day}: ${told(day)}`),
    drawn("rect", { class: "day", x: place * WIDE, width: WIDE, height: TALL }),
    bar("submitted", day.submitted, 0, place * WIDE + 1),
    bar("approved", day.approved, 0, place * WIDE + 5),
    bar("rejected", day.rejected, day.approved, place * WIDE + 5)));
  const legend = OF_DAY.map((name) => [name, named(name, sum(all, (day) => day[name]))]);
  return picture("by_day", { viewBox: `0 0 ${all.length * WIDE} ${TALL}`, class: "days" }, columns, legend);
}

const told = (day) => OF_DAY.map((name) => named(name, day[name])).join(", ");

function picture(name, attributes, shapes, legend) {
  const text = `${t(name)}: ${legend.map(([, words]) => words).join(", ")}`;
  return make("figure", {},
    make("figcaption", {}, make("b", {}, t(name)), legend.map(([kind, words]) => make("span", { class: `key ${kind}` }, words))),
    drawn("svg", { ...attributes, role: "img", "aria-label": text, preserveAspectRatio: "none" }, ...shapes));
}

function rest(found) {
  const waits = Math.max(-1, ...found.map((one) => one.oldest_pending_s ?? -1));
  return [
    waits < 0 ? t("none_waits") : t("oldest", { age: age(waits) }),
    count("in_memory", sum(found, (one) => one.in_memory)),
  ];
}
