"""One direction of a slice, a process of its own: `python -m training.slices.one`, which `gpu-slice train` starts.

It imports `model` and `training` and what these need, nothing of the server or the command line: a rented machine has
little more than PyTorch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from model.errors import ModelError
from training.train import RunOptions, run

FAILED, INTERRUPTED = 1, 130


def arguments(config: Path, options: RunOptions) -> list[str]:
    """The command line that `main` reads `options` from."""
    found = [str(config), str(options.pair), str(options.data), str(options.init), str(options.runs)]
    found.append(f"--minutes={options.max_minutes}")
    return found if options.max_steps is None else [*found, f"--max-steps={options.max_steps}"]


def main(given: Sequence[str] | None = None) -> int:
    """Train one direction; the exit status."""
    parser = argparse.ArgumentParser(prog="training.slices.one", description="One direction of a slice.")
    parser.add_argument("config", type=Path)
    parser.add_argument("pair")
    parser.add_argument("data", type=Path, help="the prepared set")
    parser.add_argument("init", help="the folder with the weights to begin from")
    parser.add_argument("runs", type=Path, help="root of the work in progress")
    parser.add_argument("--minutes", type=float, required=True, help="the schedule is completed within them")
    parser.add_argument("--max-steps", type=int)
    said = parser.parse_args(given)
    options = RunOptions(
        data=said.data, pair=said.pair, init=said.init, max_minutes=said.minutes, max_steps=said.max_steps,
        out=said.runs / "models", runs=said.runs, weights_only=True,
    )  # fmt: skip
    console = Console(stderr=True, soft_wrap=True)
    try:
        run(said.config, options)
    except ModelError as error:
        console.print(f"error: {error}", markup=False)
        return FAILED
    except KeyboardInterrupt:
        console.print("interrupted before it began")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
