"""The whole loop, as its users would go through it: `make demo-loop`, or `python -m benchmarks.demo_loop --help`.

Wrong translations are corrected through the API and approved; memory answers the next request; the model is retrained,
gated and promoted while the server runs; it then answers by itself, with memory switched off, and sentences like the
corrected ones that nobody corrected get better too; at last the promotion is taken back.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.pairs import normalise_key
from training.evaluate import score
from training.scoring.sets import SETS, read_rows

PAIR = "it-en"
SET = SETS / PAIR / "corrections.tsv"
CORRECTED_OF_FIVE = 4
"""Of the five sentences with a term, so many are corrected; the others show what else was learnt."""
START_TIMEOUT_S, SWAP_TIMEOUT_S = 60.0, 30.0
TEXTS_AT_ONCE = 50


@dataclass(frozen=True)
class Chosen:
    """Sentences with their right translations."""

    corrected: list[tuple[str, str]]
    similar: list[tuple[str, str]]
    """With the same terms, never corrected."""


class Client:
    """The API, by the standard library."""

    def __init__(self, address: str) -> None:
        self._address = address

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer; an error of HTTP ends the demonstration."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._address + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.load(response)

    def translate(self, texts: Sequence[str], *, memory: bool) -> list[dict[str, Any]]:
        """The translations of `texts`, with or without memory."""
        found = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            body = {
                "text": texts[start : start + TEXTS_AT_ONCE], "source": "it", "target": "en", "memory": memory,
            }  # fmt: skip
            found += self.call("POST", "/v1/translate", body)["translations"]
        return found


def main() -> None:
    """Go through the loop once for each number of corrections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corrections", type=int, nargs="+", default=[5], help="how many; several go one by one")
    parser.add_argument(
        "--data", type=Path, help="corpus to replay; without it the model is held by what it ships with"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the choice of sentences")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    arguments = parser.parse_args()
    results = []
    for count in arguments.corrections:
        with tempfile.TemporaryDirectory() as folder:
            options = ["--data", str(arguments.data)] if arguments.data else []
            results.append(demonstrate(Path(folder), choose(count, arguments.seed), options))
        say(json.dumps(results[-1]))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def choose(count: int, seed: int) -> Chosen:
    """`count` sentences to correct, and the others of the same terms."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for _, (term, source, target) in read_rows(SET, 3):
        groups.setdefault(term, []).append((source, target))
    terms = random.Random(seed).sample(sorted(groups), len(groups))
    chosen = Chosen([], [])
    for term in terms:
        room = count - len(chosen.corrected)
        if room <= 0:
            break
        taken = min(room, CORRECTED_OF_FIVE)
        chosen.corrected.extend(groups[term][:taken])
        chosen.similar.extend(groups[term][taken:])
    return chosen


def demonstrate(folder: Path, chosen: Chosen, options: Sequence[str] = ()) -> dict[str, Any]:
    """The loop once, in a new data directory, with `options` of `traghetto retrain`; its numbers."""
    environment = {**os.environ, "TRAGHETTO_DATA_DIR": str(folder)}
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]
    server = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        client = Client(_address(server))
        before = Answers(client, chosen)
        say(f"\n{len(chosen.corrected)} sentences, {before.right(chosen.corrected)} of them translated right")
        correct(client, chosen, before)
        remembered = client.translate([source for source, _ in chosen.corrected], memory=True)
        from_memory = sum(one["from_memory"] for one in remembered)
        say(f"corrected and approved; memory answers {from_memory} of {len(remembered)} at the next request")
        report, seconds = retrain(environment, options)
        numbers = {"corrections": len(chosen.corrected), "seconds": round(seconds), "state": report["state"],
                   "strength": report["strength"], "replay": report["replay"], "answers": report["answers"],
                   "sets": {one["name"]: [one["measure"], round(one["before"], 2), round(one["after"], 2)]
                            for one in report["sets"]}}  # fmt: skip
        if report["state"] != "promoted":
            say("\n  ".join(("the gate refused it:", *report["reasons"])))
            return numbers | {"from_memory": from_memory}
        _wait_for(client, report["candidate"])
        after = Answers(client, chosen)
        show(chosen, before, after, seconds)
        client.call("POST", f"/v1/models/{PAIR}/rollback")
        _wait_for(client, "default")
        say("rolled back: the version before answers again")
        return numbers | {"from_memory": from_memory, **compared(chosen, before, after)}
    finally:
        server.terminate()
        server.wait(timeout=60)
        if server.stderr is not None:
            server.stderr.close()


class Answers:
    """What the model itself says, memory switched off."""

    def __init__(self, client: Client, chosen: Chosen) -> None:
        self.version = ""
        self._texts: dict[str, str] = {}
        for pairs in (chosen.corrected, chosen.similar):
            sources = [source for source, _ in pairs]
            for source, one in zip(sources, client.translate(sources, memory=False) if sources else [], strict=True):
                self._texts[source], self.version = one["text"], one["model_version"]

    def __getitem__(self, source: str) -> str:
        return self._texts[source]

    def right(self, pairs: Sequence[tuple[str, str]]) -> int:
        """How many are as they should be, but for case and punctuation."""
        return sum(normalise_key(self._texts[source]) == normalise_key(target) for source, target in pairs)

    def bleu(self, pairs: Sequence[tuple[str, str]]) -> float:
        """BLEU of `pairs`."""
        return score([self._texts[source] for source, _ in pairs], [target for _, target in pairs]).bleu


def correct(client: Client, chosen: Chosen, before: Answers) -> None:
    """Submit the right translation of each sentence that is wrong, and approve them all at once."""
    ids = []
    for source, target in chosen.corrected:
        body = {
            "source": "it", "target": "en", "source_text": source, "machine_translation": before[source],
            "corrected_translation": target, "model_version": before.version,
        }  # fmt: skip
        if before[source] != target:
            ids.append(client.call("POST", "/v1/corrections", body)["id"])
    client.call("POST", "/v1/corrections/bulk", {"action": "approve", "ids": ids})


def retrain(environment: dict[str, str], options: Sequence[str]) -> tuple[dict[str, Any], float]:
    """`traghetto retrain`; the gate's report, and how long it took."""
    began = time.monotonic()
    command = [sys.executable, "-m", "app.cli", "retrain", "--pair", PAIR, "--json"]
    done = subprocess.run([*command, *options], env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout:
        raise SystemExit("the retraining failed")
    return json.loads(done.stdout), time.monotonic() - began


def compared(chosen: Chosen, before: Answers, after: Answers) -> dict[str, Any]:
    """Right translations and BLEU of both kinds of sentences, before and after."""
    found: dict[str, Any] = {}
    for name, pairs in (("corrected", chosen.corrected), ("similar", chosen.similar)):
        if pairs:
            bleu = [round(answers.bleu(pairs), 1) for answers in (before, after)]
            right = [answers.right(pairs) for answers in (before, after)]
            found[name] = {"sentences": len(pairs), "right": right, "bleu": bleu}
    return found


def show(chosen: Chosen, before: Answers, after: Answers, seconds: float) -> None:
    """The numbers and some sentences, for people."""
    say(f"retrained in {seconds:.0f} s; the server answers with {after.version}. By the model itself, memory off:")
    for name, values in compared(chosen, before, after).items():
        (old, new), (old_bleu, new_bleu) = values["right"], values["bleu"]
        say(f"  {name:9} {values['sentences']:4} sentences: right {old} -> {new}, BLEU {old_bleu} -> {new_bleu}")
    for source, target in chosen.similar[:3]:
        say(f"  {source}\n    before: {before[source]}\n    after:  {after[source]}\n    right:  {target}")


def _address(server: subprocess.Popen[str]) -> str:
    ends = time.monotonic() + START_TIMEOUT_S
    while server.stderr is not None and time.monotonic() < ends:
        found = re.search(r"http://\S+", server.stderr.readline())
        if found:
            return found.group()
    raise SystemExit("the server did not start")


def _wait_for(client: Client, version: str) -> None:
    ends = time.monotonic() + SWAP_TIMEOUT_S
    while client.translate(["Buongiorno a tutti."], memory=False)[0]["model_version"] != version:
        if time.monotonic() > ends:
            raise SystemExit(f"the server does not follow to {version}")
        time.sleep(0.2)


def say(text: str) -> None:
    """A line on stdout."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
