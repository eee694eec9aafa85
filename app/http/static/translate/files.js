// A text file, opened or dropped: a short one goes into the field, a long one is translated piece by piece.

import { call, number, onDrop, page, part, saveBlob, say, showError, t } from "../lib.js";

const MOST_MB = 5, FORMATS = { md: "markdown", markdown: "markdown", html: "html", htm: "html" };
const maxChars = Number(page.maxChars), maxTexts = Number(page.maxTexts), maxAll = Number(page.maxRequestChars);

let stop = null, result = null;

async function read(file) {
  const name = file.name;
  if (file.size > MOST_MB * 1e6) throw new Error(t("file_big", { name, n: MOST_MB }));
  const bytes = await file.arrayBuffer();
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    text = new TextDecoder("windows-1252").decode(bytes); // what old Italian files are written in
  }
  if (text.includes("\0")) throw new Error(t("file_binary", { name }));
  return text.replace(/\r\n?/g, "\n");
}

// Pieces of at most `maxChars` that end where a line does, if one does: together they are the text.
function pieces(text) {
  const found = [];
  for (let rest = text; rest; ) {
    let end = maxChars;
    if (rest.length > maxChars) {
      const paragraph = rest.lastIndexOf("\n\n", maxChars - 2), line = rest.lastIndexOf("\n", maxChars - 1), space = rest.lastIndexOf(" ", maxChars - 1);
      end = paragraph > maxChars / 2 ? paragraph + 2 : line > 0 ? line + 1 : space > 0 ? space + 1 : maxChars;
      if (/[\uD800-\uDBFF]/.test(rest[end - 1])) end -= 1;
    }
    found.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return found;
}

function requests(texts) {
  const found = [];
  let size = Infinity;
  for (const text of texts) {
    if (size + text.length > maxAll || found.at(-1).length === maxTexts) found.push([]), size = 0;
    found.at(-1).push(text);
    size += text.length;
  }
  return found;
}

async function patiently(body, signal) {
  for (;;) {
    try {
      return await call("/v1/translate", { method: "POST", body, signal });
    } catch (failure) {
      if (!failure.retryAfter || signal.aborted) throw failure;
      part("document-state").textContent = t("too_slow", { n: failure.retryAfter });
      await new Promise((resolve) => setTimeout(resolve, 1000 * failure.retryAfter));
    }
  }
}

async function translateLong(name, text, format) {
  stop?.abort();
  const mine = stop = new AbortController();
  part("document").hidden = false;
  part("document-name").textContent = name;
  part("document-save").disabled = true;
  part("document-stop").hidden = false;
  part("document").focus();
  const source = part("source").value, target = part("target").value, whole = [], all = number(text.length);
  let done = 0;
  const tell = () => {
    part("document-progress").value = done / text.length;
    part("document-state").textContent = t("file_part", { done: number(done), all });
  };
  tell();
  try {
    for (const texts of requests(pieces(text))) {
      const { translations } = await patiently({ text: texts, source, target, ...(format === "text" ? {} : { format }) }, mine.signal);
      if (mine !== stop) return;
      whole.push(...translations.map((one) => one.text));
      done += texts.join("").length;
      tell();
    }
    part("document-state").textContent = t("file_done", { all });
    say(t("file_done", { all }));
  } catch (failure) {
    if (mine !== stop) return;
    part("document-state").textContent = `${mine.signal.aborted ? t("file_stopped") : failure.message} ${t("file_part", { done: number(done), all })}`;
  }
  result = { name: name.replace(/(\.\w+)?$/, (extension) => `.${target}${extension || ".txt"}`), text: whole.join("") };
  part("document-save").disabled = !whole.length;
  part("document-save").focus();
  part("document-stop").hidden = true;
}

async function take([file, ...others], set) {
  if (others.length) say(t("file_one", { name: file.name }));
  const format = FORMATS[file.name.split(".").pop().toLowerCase()] ?? "text";
  try {
    const text = await read(file);
    if ([...text].length <= maxChars) return set({ text, format });
    if (format === "html") return showError("error", t("file_markup", { name: file.name, n: number(maxChars) }));
    showError("error", "");
    await translateLong(file.name, text, format);
  } catch (failure) {
    showError("error", failure.message);
  }
}

export function watchFiles(set) {
  onDrop(part("left"), (files) => take(files, set));
  part("open").addEventListener("click", () => part("file").click());
  part("file").addEventListener("change", ({ target }) => {
    if (target.files.length) take([...target.files], set);
    target.value = "";
  });
  part("document-save").addEventListener("click", () => saveBlob(new Blob([result.text], { type: "text/plain" }), result.name));
  part("document-stop").addEventListener("click", () => stop.abort());
}
