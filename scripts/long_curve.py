"""What the long run has brought by its tokens, as a picture: `python -m scripts.long_curve`.

    docs/results/long-run.tsv -> docs/results/long-run.png

The table has a line for each scoring of the dev sets (their first 1,000 lines, greedy): target tokens since its slice
began, in millions, and BLEU. A slice begins from the weights that the slice before has kept: its tokens are laid behind
theirs, and what was not kept leads nowhere.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
TABLE, PICTURE = RESULTS / "long-run.tsv", RESULTS / "long-run.png"
SETS = ("tatoeba.dev", "general.dev")
DIRECTIONS = {"it-en": "Italian to English", "en-it": "English to Italian"}


@dataclass(frozen=True)
class Slice:
    """One training of a direction, from weights that were there."""

    name: str
    began: float
    """Millions of target tokens that its first weights had behind them, since the long run began."""
    tokens: list[float]
    """The same, of each point."""
    scores: dict[str, list[float]]
    """Set -> BLEU of each point."""
    kept: int | None
    """The point from which the next slice began."""


def slices(table: Path, pair: str) -> list[Slice]:
    """The slices of `pair` in `table`, in order."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["pair"] == pair]
    found: list[Slice] = []
    began = 0.0
    for name in dict.fromkeys(row["slice"] for row in rows):
        own = [row for row in rows if row["slice"] == name]
        tokens = [began + float(row["tokens"]) for row in own]
        kept = next((at for at, row in enumerate(own) if row["kept"]), None)
        found.append(Slice(name, began, tokens, {key: [float(row[key]) for row in own] for key in SETS}, kept))
        began = began if kept is None else tokens[kept]
    return found


def draw(table: Path, path: Path) -> None:
    """A panel for each direction and set: a line for each slice, a large dot for what was kept."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.2), layout="constrained")
    axes = figure.subplots(len(SETS), len(DIRECTIONS), sharex="col", squeeze=False)
    for column, (pair, title) in enumerate(DIRECTIONS.items()):
        found = slices(table, pair)
        for row, name in enumerate(SETS):
            axis = axes[row][column]
            for one in found:
                (line,) = axis.plot(one.tokens, one.scores[name], ".-", label=one.name, linewidth=1.2)
                if one.kept is not None:
                    axis.plot(
                        one.tokens[one.kept], one.scores[name][one.kept], "o", color=line.get_color(), markersize=9
                    )
            axis.grid(alpha=0.3)
            axis.set_ylabel(f"BLEU on {name}")
        axes[0][column].set_title(title)
        axes[-1][column].set_xlabel("millions of target tokens since the long run began")
    axes[-1][-1].legend(fontsize=8, loc="lower right")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Draw it."""
    draw(TABLE, PICTURE)
    print(PICTURE)


if __name__ == "__main__":
    main()
