"""What a run that `torchrun` began again goes on from: the folder of the run says which job it is of.

`torchrun` gives a job a name, which is the same after each restart of its workers, and on each node: `--rdzv-id`, or
one that nobody else has under `--standalone`. The first worker writes it into the folder. So a worker that was killed
comes back to the last checkpoint, and a folder of another run is refused as ever.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from model.errors import ConfigError
from model.versions.disk import write_whole
from training.scoring.mistakes import read_metrics

JOB = "job"
"""File in the folder of a run."""


def job_name() -> str | None:
    """What `torchrun` calls this job; None without it, or if it was not told and calls all jobs the same."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    return None if name == "none" else name


def check_restarts(*, stops_early: bool = False) -> None:
    """See to it that workers which `torchrun` begins again can find each other, and what they did.

    `stops_early` says that the run is to end unfinished; then its status is no success, and `torchrun` begins again.

    Raises:
        ConfigError: `torchrun` was told to restart workers, and cannot or should not. Unless a variable says otherwise,
            those of the second start meet in the store of the first, and find the addresses of workers that have ended.
    """
    if int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0")) == 0:
        return
    if stops_early:
        raise ConfigError("torchrun --max-restarts would begin again what --stop-after ends: leave one of them out")
    if job_name() is None:
        raise ConfigError("torchrun --max-restarts needs --standalone, or --rdzv-backend c10d and --rdzv-id NAME")
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        raise ConfigError("torchrun --max-restarts needs TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in its environment")


def prepare_folder(folder: Path, resume: bool) -> bool:
    """Make `folder` ready for a run, or for the rest of one; whether it has a checkpoint to go on from.

    `resume` says that it should have. Else it has one only if this job has left it there.

    Raises:
        ConfigError: it holds another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if resume:
        return True
    job, last = folder / JOB, (folder / "last.safetensors").exists()
    mine = job_name() is not None and job.exists() and job.read_text(encoding="utf-8") == job_name()
    if mine and last:
        return True
    if not mine and (last or any(folder.glob("best*"))):
        raise ConfigError(f"{folder} holds an unfinished or finished run: give --resume, or remove it")
    for path in filter(Path.is_file, folder.iterdir()):  # of a start that came to no checkpoint, maybe of other data
        path.unlink()
    if name := job_name():
        write_whole(job, name)
    return False


def forget_rows_after(metrics: Path, step: int) -> None:
    """Take out of a `metrics.jsonl` what was written after the checkpoint of `step`: those steps are done again."""
    if metrics.exists():
        rows = [row for row in read_metrics(metrics) if row["step"] <= step]
        write_whole(metrics, "".join(json.dumps(row) + "\n" for row in rows))
