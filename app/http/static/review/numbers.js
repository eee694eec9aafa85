// Numbers about corrections, as pictures with their text beside them.
import { call, drawn, make, number, part, t } from "../lib.js";
import { age, count } from "./items.js";

const STATUSES = ["pending", "approved", "rejected", "superseded"];
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
  place.replaceChildren(statuses(found), days(found), make("ul", {}, rest(found).map((line) => make("li", {}, line))));
}

const sum = (all, of) => all.reduce((before, one) => before + of(one), 0);
const named = (status, n) => `${number(n)} ${t(status === "pending" ? status : `${status}_n`)}`;

function statuses(found) {
  const counts = STATUSES.map((status) => [status, sum(found, (one) => one.by_status[status])]);
  const all = sum(counts, ([, n]) => n) || 1;
  let left = 0;
  const bars = counts.map(([status, n]) => {
    left += n / all * 100;
    return drawn("rect", { class: status, x: left - n / all * 100, width: n / all * 100, height: 3 });
  });
  return picture("by_status", { viewBox: "0 0 100 3" }, bars, counts.map(([status, n]) => [status, named(status, n)]));
}

function days(found) {
  const all = found[0].by_day.map(({ day }, place) => {
    const total = (name) => sum(found, (one) => one.by_day[place][name]);
    return { day, submitted: total("submitted"), approved: total("approved"), rejected: total("rejected") };
  });
  const most = Math.max(1, ...all.map((day) => Math.max(day.submitted, day.approved + day.rejected)));
  const bar = (name, n, below, x) => drawn("rect", { class: name, x, y: TALL - (n + below) / most * TALL, width: 4, height: n / most * TALL });
  const columns = all.map((day, place) => drawn("g", {},
    drawn("title", {}, `${day.day}: ${told(day)}`),
    drawn("rect", { class: "day", x: place * WIDE, width: WIDE, height: TALL }),
    bar("submitted", day.submitted, 0, place * WIDE + 1),
    bar("approved", day.approved, 0, place * WIDE + 5),
    bar("rejected", day.rejected, day.approved, place * WIDE + 5)));
  const names = ["submitted", "approved", "rejected"];
  const legend = names.map((name) => [name, `${number(sum(all, (day) => day[name]))} ${t(name === "submitted" ? name : `${name}_n`)}`]);
  return picture("by_day", { viewBox: `0 0 ${all.length * WIDE} ${TALL}` }, columns, legend);
}

const told = (day) => ["submitted", "approved", "rejected"].map((name) => `${number(day[name])} ${t(name === "submitted" ? name : `${name}_n`)}`).join(", ");

function picture(name, attributes, shapes, legend) {
  const text = `${t(name)}: ${legend.map(([, words]) => words).join(", ")}`;
  return make("figure", {},
    make("figcaption", {}, make("b", {}, t(name)), legend.map(([kind, words]) => make("span", { class: `key ${kind}` }, words))),
    drawn("svg", { ...attributes, class: name, role: "img", "aria-label": text, preserveAspectRatio: "none" }, ...shapes));
}

function rest(found) {
  const waits = Math.max(-1, ...found.map((one) => one.oldest_pending_s ?? -1));
  const approved = sum(found, (one) => one.by_status.approved);
  return [
    waits < 0 ? t("none_waits") : t("oldest", { age: age(waits) }),
    count("in_memory", sum(found, (one) => one.in_memory)),
    t("trained_n", { n: number(sum(found, (one) => one.trained_in_current)), of: number(approved) }),
  ];
}
