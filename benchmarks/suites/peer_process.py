"""CTranslate2 as a program: lines of tokens on stdin, lines of tokens on stdout. Started by the suites, not by people.

    python -m benchmarks.suites.peer_process '{"models": [...], "threads": [2, 1], "options": {...}}' < lines

What it prints is of random weights and forced to a length: only the time and the memory count.
"""

from __future__ import annotations

import json
import sys

import ctranslate2


def main() -> None:
    """Answer the first line at once, and the others all together. The first model answers; others take memory."""
    told = json.loads(sys.argv[1])
    inter, intra = told["threads"]
    settings = {"device": "cpu", "compute_type": "int8", "inter_threads": inter, "intra_threads": intra}
    translators = [ctranslate2.Translator(model, **settings) for model in told["models"]]
    for other in translators[1:]:
        other.translate_batch([["</s>"]], max_decoding_length=1)
    for read in (lambda: [sys.stdin.readline()], sys.stdin.readlines):
        lines = read()
        if any(lines):
            found = translators[0].translate_batch([line.split() for line in lines], **told["options"])
            sys.stdout.writelines(" ".join(result.hypotheses[0]) + "\n" for result in found)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
