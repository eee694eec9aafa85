"""Ten minutes of somebody else's GPU: what travels there, the training of both directions, and what comes home.

    scripts/gpu-slice pack --from runs/long --out gpu       here: set, weights and vocabularies, at most 58 MiB
    scripts/gpu-slice train --from gpu --out OUT            there: both directions side by side, nine minutes
    scripts/gpu-slice home --from OUT --pack gpu            here again: folders that --export and --init take

The machine there needs a Python with torch, sentencepiece, sacrebleu, safetensors, numpy and rich, and the
tracked files of this project without `model/weights`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from model.errors import ModelError
from training.slices.home import HomeOptions, home
from training.slices.pack import PackOptions, pack
from training.slices.rented import SliceOptions, train

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "training" / "configs" / "slice.toml"
MIB, MINUTES = 58.0, 9.0
FAILED, INTERRUPTED = 1, 130


def run_pack(options: argparse.Namespace, console: Console) -> int:
    """Make the folder to carry: the prepared set, and weights and vocabularies of both directions."""
    pack(
        PackOptions(
            options.folder, options.out, options.config, options.mib, options.version, options.init, options.data
        ),
        console,
    )
    console.print(f"there: scripts/gpu-slice train --from {options.out} --out OUT --minutes {MINUTES:g}", style="bold")
    return 0


def run_train(options: argparse.Namespace, console: Console) -> int:
    """Train both directions side by side from the folder that `pack` made, and leave small files."""
    return train(SliceOptions(options.folder, options.out, options.config, options.minutes, options.max_steps), console)


def run_home(options: argparse.Namespace, console: Console) -> int:
    """Make folders of runs of what came home."""
    config = os.path.relpath(options.config)
    made = home(HomeOptions(options.folder, options.pack, options.runs), console)
    console.print("A version of each, after which `traghetto evaluate` compares it with the one before:")
    for folder in made:
        pair = folder.parent.name
        console.print(
            f"  traghetto train {config} --pair {pair} --data {options.data} --runs {options.runs} --export",
            highlight=False,
        )
    init = options.runs / "{pair}" / made[0].name
    console.print("Or go on from both, in a new folder:")
    console.print(f"  scripts/long-run start --folder runs/next --init '{init}' --max-minutes 160", highlight=False)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    paragraphs = (__doc__ or "").partition("\n\n")
    top = argparse.ArgumentParser(
        prog="scripts/gpu-slice", description=paragraphs[0], epilog=paragraphs[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = top.add_subparsers(required=True, metavar="pack|train|home")
    actions = (("pack", run_pack), ("train", run_train), ("home", run_home))
    made = {
        name: commands.add_parser(name, help=action.__doc__, description=action.__doc__) for name, action in actions
    }
    for name, action in actions:
        made[name].set_defaults(action=action)
        made[name].add_argument("--config", type=Path, default=CONFIG, help="settings [training/configs/slice.toml]")
    path: dict[str, Any] = {"type": Path, "metavar": "FOLDER"}
    one = made["pack"].add_argument
    one("--from", dest="folder", default=Path("runs/long"), help="a long run: set.zip, checkpoints [runs/long]", **path)
    one("--out", default=Path("gpu"), help="the folder to make; git must ignore it [gpu]", **path)
    one("--mib", type=float, default=MIB, help=f"at most so large; the set is thinned to fit [{MIB:g}]")
    one("--version", default="long", help="the version of those runs [long]")
    one("--init", help="begin from this version or folder instead, {pair} is replaced: '{pair}/default'")
    one("--data", type=Path, metavar="SET", help="prepared set [set.zip in --from]")
    one = made["train"].add_argument
    one("--from", dest="folder", default=Path("gpu"), help="what pack made [gpu]", **path)
    one("--out", required=True, help="a new folder: at most three files a direction, of at most 15 MiB", **path)
    one("--minutes", type=float, default=MINUTES, help=f"from start to end, all told [{MINUTES:g}]")
    one("--max-steps", type=int, help="stop after so many updates: a dry run on a CPU takes 3")
    one = made["home"].add_argument
    one("--from", dest="folder", required=True, help="what train left", **path)
    one("--pack", default=Path("gpu"), help="what it began from: the vocabularies [gpu]", **path)
    one("--runs", default=Path("runs/slice"), help="where the folders of the runs are made [runs/slice]", **path)
    one("--data", default="runs/long/set.zip", metavar="SET", help="prepared set, for the commands to go on with")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    options = parser().parse_args(arguments)
    try:
        return int(options.action(options, Console(soft_wrap=True)))
    except (ModelError, OSError) as error:
        print(f"gpu-slice: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
