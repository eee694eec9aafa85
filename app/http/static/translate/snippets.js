// The request that the page makes, for a terminal and for programs.

import { copied, part, root } from "../lib.js";

const address = () => `${location.origin}${root}/v1/translate`;
const indented = (body) => JSON.stringify(body, null, 2).replace(/\n/g, "\n    ");

const makers = {
  curl: (body) => `curl -s ${address()} \\\n  -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`,
  python: (body) => `import requests  # pip install requests

answer = requests.post(
    "${address()}",
    json=${indented(body)},
    timeout=30,
)
answer.raise_for_status()
print(answer.json()["translations"][0]["text"])`,
  javascript: (body) => `const response = await fetch("${address()}", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(${JSON.stringify(body)}),
});
if (!response.ok) throw new Error((await response.json()).detail);
console.log((await response.json()).translations[0].text);`,
};

let shown = "curl", last = {};

export function showSnippet(body) {
  last = body.text.trim() ? body : { ...body, text: "Ciao, mondo!" };
  part("snippet").textContent = makers[shown](last);
}

for (const button of document.querySelectorAll("[data-snippet]")) {
  button.addEventListener("click", () => {
    shown = button.dataset.snippet;
    for (const one of document.querySelectorAll("[data-snippet]")) one.setAttribute("aria-pressed", String(one === button));
    showSnippet(last);
  });
}
part("snippet-copy").addEventListener("click", (event) => copied(event.currentTarget, part("snippet").textContent));
