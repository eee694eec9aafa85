// Corrections out to a file, and in from files.
import { fetched, make, number, onDrop, part, save, say, t } from "../lib.js";

const TOLD = 100; // problems of a file that are listed
const values = (form) => Object.fromEntries(new FormData(form));

part("export").addEventListener("submit", async (event) => {
  event.preventDefault();
  const query = values(event.target);
  const name = ["corrections", query.status, query.pair].filter(Boolean).join("-");
  try {
    await save(await fetched("/v1/corrections/export", { query }), `${name}.${query.format}`);
  } catch (problem) {
    say(problem.message, "bad");
  }
});

const form = part("import");
const file = form.querySelector("[type=file]");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  takeAll([...file.files]);
});
onDrop(part("main"), (files) => {
  part("files").open = true;
  takeAll(files);
});

async function takeAll(files) {
  part("imported").replaceChildren();
  for (const one of files) {
    const told = make("div", {}, t("importing", { file: one.name }));
    part("imported").append(told);
    told.replaceChildren(...await take(one));
  }
  file.value = "";
  document.dispatchEvent(new Event("imported"));
}

// What came of a file, as elements.
async function take(one) {
  if (!/\.(tmx|jsonl)$/i.test(one.name)) return [make("p", { class: "error" }, t("other_file", { file: one.name }))];
  const query = { ...values(form), format: /\.tmx$/i.test(one.name) ? "tmx" : "jsonl" };
  const headers = { "Content-Type": "application/octet-stream" };
  try {
    const response = await fetched("/v1/corrections/import", { method: "POST", query, raw: one, headers });
    return report(one.name, await response.json());
  } catch (problem) {
    return [make("p", { class: "error" }, `${one.name}: ${problem.message}`)];
  }
}

function report(name, { problems, notes = [], ...counts }) {
  const shown = Object.fromEntries(Object.entries(counts).map(([key, n]) => [key, number(n)]));
  const told = [...problems, ...notes];
  const further = counts.refused + notes.length - Math.min(told.length, TOLD);
  return [
    make("p", { class: counts.refused ? "odd" : "good" }, t("imported", { file: name, ...shown })),
    make("ul", {}, told.slice(0, TOLD).map(({ line, reason }) => make("li", {}, `${t("line", { n: number(line) })}: ${reason}`)),
      further > 0 && make("li", {}, t("further", { n: number(further) }))),
  ];
}
