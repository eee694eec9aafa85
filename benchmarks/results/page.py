"""docs/results/benchmarks.md: the figures of all kinds of processors, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from benchmarks.results.figures import Figure
from benchmarks.results.goals import goals
from benchmarks.results.record import FILE, Run
from benchmarks.results.tables import tables

HEAD = f"""# Speed

`make bench` measures this and writes the page anew; all figures of all rounds are in [{FILE}]({FILE}). `make
check-speed` measures some of it quickly and says which ratios have become worse.

Machines are shared and noisy. So every round measures all programs of a case one right after the other, in turn from
the front and from the back; figures are medians of the rounds, ratios medians of the rounds' ratios, above 1 where
Traghetto is faster or needs less. **The ratios are what counts.**

**The lines** are our own (`benchmarks/sentences.py`): everyday ones, and prose of 25 words. **Traghetto** is the
whole way with the model that ships: splitting, second tries where a fault can be seen, and words again. Server and
command line search with a beam of 4 unless they are told otherwise.

**CTranslate2** has random weights, in 8 bits, for speed depends on the shape and not on what was learnt. It gets our
pieces, cut already, and makes as many as our translations have on average; its own vocabulary of 32,000 would cut the
lines into somewhat fewer. It gets many batches at once, sorts them by length, and each figure is that of its best
thread setting.

- *OPUS-MT's shape*: 6 + 6 layers, 512 wide, 2,048 inside, 8 heads.
- *Firefox's tiny shape*: 6 + 2 layers, 256 wide, 1,536 inside, 8 heads. CTranslate2 has no SSRU, the recurrent cell
  of that decoder, so it has self-attention in its place; and a vocabulary map of 50 + 50 pieces in that of the
  lexical shortlist.
- *LibreTranslate's way*: one sentence after the other with a beam of 4, as Argos Translate asks CTranslate2;
  OPUS-MT's shape. Splitting into sentences and pieces is left out.

`benchmarks/suites/peers.py` names the sources of these shapes and settings.
"""

SUITES = {
    "decode": """
The translator alone, in one process. Columns: sentences of one call, and of one batch of CTranslate2. Of one sentence
alone there is also how long it takes, half of the time and 95 times of 100.""",
    "command-line": """
From the start of the process to its end; then without the time that a file of one line takes. The peers are Python
programs that read tokens.""",
    "start": """
The peer is a Python program that loads CTranslate2 and a model, and translates one line.""",
    "memory": """
Of the server what is resident then; of the others the peak of all their processes together, what they share counted
once. The peer is a Python program with as many models, and 200 lines.""",
    "serve": """
Clients in processes of their own on the same cores. Closed loop: each waits for its answer before it asks again; open
loop: requests come at random moments, whatever the server does. Every answer is compared with the translator's, or with
an earlier one to the same text: one wrong, failed or mixed up ends the run. Where there are peers, they are the
translator alone, in batches of 128, and the same client with the server to itself.""",
    "train": """
Steps of the trainer as it runs, on batches that stay the same, of the network that ships; beside it the same network on
PyTorch's own layers, with the same optimiser.""",
}
"""Suite -> what its figures mean."""


def page(runs: Mapping[str, Run]) -> str:
    """The whole page."""
    parts = [HEAD]
    for kind, run in sorted(runs.items()):
        parts.append(f"## {NAMES.get(kind, kind)}\n\n{_machine(run)}\n")
        parts.append(f"### Beside the goals\n\n{goals(run.figures, kind)}\n")
        parts += [_suite(name, list(group)) for name, group in groupby(run.figures, key=lambda figure: figure.suite)]
    return "\n".join(parts)


NAMES = {"avx2": "Processors with AVX2", "avx512_vnni": "Processors with AVX-512 VNNI"}


def _machine(run: Run) -> str:
    told = run.machine
    versions = ", ".join(f"{name} {told[name]}" for name in ("ctranslate2", "torch", "numpy") if told.get(name))
    held = "; **all programs held to AVX2**" if told.get("held") else ""
    return (
        f"{told['date']}, {told['processor']}, {told['cores']} cores ({', '.join(told['flags'])}){held}; "
        f"{told['system']}, Python {told['python']}, {versions}; commit {told['commit']}. Traghetto "
        f"decodes by {run.kernels}; {run.rounds} rounds."
    )


def _suite(name: str, figures: Sequence[Figure]) -> str:
    return f"### {name[:1].upper()}{name[1:]}\n{SUITES[name]}\n\n{tables(figures)}"
