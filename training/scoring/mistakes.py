"""What is left to look at after a run: the curve of loss and BLEU, and the mistakes in the form of the 2018 slides."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from model.config import SearchConfig
from model.translator import Translator
from training.evaluate import Normalise, evaluate

MISTAKES = 200


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a `metrics.jsonl`; a last line cut short by a crash is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def draw_curve(rows: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """A picture of training loss (left) and the BLEU of each dev set (right) over millions of target tokens."""
    import matplotlib as mpl  # heavy, and only needed here

    mpl.use("agg")
    from matplotlib import pyplot as plt

    losses = [(row["tokens"] / 1e6, row["nll"]) for row in rows if "nll" in row]
    figure, left = plt.subplots(figsize=(8, 4.5), layout="constrained")
    right = left.twinx()
    if losses:
        left.plot(*zip(*_smooth(losses), strict=True), color="tab:blue", linewidth=1)
    for color, (name, scores) in zip(("tab:red", "tab:orange", "tab:purple"), dev_curves(rows).items(), strict=False):
        right.plot(*zip(*scores, strict=True), color=color, marker="o", markersize=4, label=name)
        right.annotate(f"{scores[-1][1]:.1f}", scores[-1], textcoords="offset points", xytext=(4, 4), color=color)
        right.legend(loc="center right")
    minutes = max((row["seconds"] for row in rows), default=0.0) / 60
    left.set(xlabel=f"millions of target tokens, {minutes:,.0f} minutes in all", title=title)
    left.set_ylabel("training loss (nats a token)", color="tab:blue")
    right.set_ylabel("BLEU", color="tab:red")
    right.set_ylim(bottom=0)
    left.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def dev_curves(rows: Iterable[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """Dev set -> (millions of target tokens, BLEU) of each evaluation; the set that has no name there is `dev`."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for key, value in row.get("dev", {}).items():
            if key == "bleu" or key.endswith(" bleu"):
                curves.setdefault(key.removesuffix("bleu").strip() or "dev", []).append((row["tokens"] / 1e6, value))
    return curves


def _smooth(points: Sequence[tuple[float, float]], width: int = 15) -> list[tuple[float, float]]:
    """Running means of the second numbers, so that the batches' lengths do not hide the trend."""
    smoothed = []
    for index, (tokens, _) in enumerate(points):
        window = points[max(0, index - width + 1) : index + 1]
        smoothed.append((tokens, sum(value for _, value in window) / len(window)))
    return smoothed


def slide(triples: Iterable[tuple[str, str, str]]) -> str:
    """Source, reference and output of each triple, as the 2018 slides print them: `>`, `=`, `<`."""
    return "\n".join(f"> {source}\n= {reference}\n< {output}\n" for source, reference, output in triples)


def write_report(run: Path, version: Path, dev: Sequence[tuple[str, str]], normalise: Normalise = str) -> None:
    """Write `curve.png` and `mistakes.txt` into the folder of a run.

    The mistakes show corpus lines: the folder is not for publication.
    """
    if (run / "metrics.jsonl").exists():  # weights that came home may have left theirs behind
        draw_curve(read_metrics(run / "metrics.jsonl"), run / "curve.png", f"{version.parent.name} {version.name}")
    scores, outputs = evaluate(Translator.load(version), dev, SearchConfig(), normalise)
    triples = [
        (normalise(source), normalise(reference), normalise(output))
        for (source, reference), output in zip(dev, outputs, strict=True)
    ]
    wrong = [triple for triple in triples if triple[1] != triple[2]]
    heading = (
        f"dev BLEU {scores.bleu:.2f}, chrF {scores.chrf:.2f}; {len(wrong)} of {len(dev)} differ from the reference\n\n"
    )
    (run / "mistakes.txt").write_text(heading + slide(wrong[:MISTAKES]), encoding="utf-8")
