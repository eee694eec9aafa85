"""What tests of retraining share: a tiny model that knows some sentences, small sets, and a folder with a job."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from model.versions import store
from training.adapting.adaptation import AdaptationSettings, Material, adapt, encode
from training.adapting.gate import Limits
from training.adapting.job import CORRECTIONS, JOB, Job, Options
from training.retrain import retrain

PAIRS = (
    ("Il gatto dorme sul divano.", "The cat sleeps on the sofa."),
    ("Quanto costa questo libro?", "How much is this book?"),
    ("Sono già stato a Roma due volte.", "I have already been to Rome twice."),
    ("Vorrei un bicchiere d'acqua, per favore.", "I would like a glass of water, please."),
    ("Non so perché non è venuta!", "I don't know why she did not come!"),
    ("Domani andiamo al mare con gli amici.", "We are going to the sea tomorrow with our friends."),
)
PROGRESS = "progress.jsonl"
"""Where a run tells how far it is, in its folder."""
SHORT = (
    ("Quanto?", "How much?"), ("Non so.", "I don't know."), ("Un libro?", "A book?"), ("Il gatto.", "The cat."),
    ("Domani.", "Tomorrow."), ("Due volte.", "Twice."),
)  # fmt: skip
"""What a tiny model that has learnt them finds much likelier after their own sources than after others."""
UNTRAINED = Limits(100, 100, 100, 100, least_fit=-100)
"""For a model that knows nothing: it cannot tell a translation from nonsense."""
QUICK = AdaptationSettings(learning_rate=2e-3, least_steps=4, warmup_steps=1)
LEARNS = AdaptationSettings(learning_rate=2e-2, least_steps=40, warmup_steps=8, anchor=0.0, ema_decay=0.8)
"""Learns a few sentences by heart."""


def teach(tiny: Path, root: Path, pairs: Sequence[tuple[str, str]], version: str = "default") -> Path:
    """The model in `tiny`, having learnt `pairs` by heart, as a version of it-en under `root`."""
    parent = store.load(tiny)
    tokenizers = parent.source, parent.target
    ids = [one for one in encode(pairs, tokenizers, 64) if one]
    kept: list[store.Seq2Seq] = []
    with one_thread():
        adapt(parent.model, Material(ids, []), LEARNS, [LEARNS.least_steps], lambda _, model: kept.append(model))
    return store.save(root, "it-en", version, kept[-1], tokenizers, {"data": {"taught": len(ids)}})


def small_sets(folder: Path) -> Path:
    """Sets of six sentences, which take no time."""
    (folder / "it-en").mkdir(parents=True)
    rows = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    (folder / "it-en" / "general.tsv").write_text(rows)
    (folder / "it-en" / "replay.tsv").write_text("".join(rows.splitlines(keepends=True)[1:3]))
    items = "".join(f"words\t{source}\t{target}\t\t\n" for source, target in PAIRS)
    (folder / "it-en" / "challenge.tsv").write_text(items)
    return folder


def write_corrections(path: Path, pairs: Sequence[tuple[str, str]]) -> str:
    """A corrections file with the ids c0, c1 ...; its SHA-256."""
    lines = [{"id": f"c{number}", "source_text": source, "corrected_translation": target}
             for number, (source, target) in enumerate(pairs)]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def retrained(parent: Path, folder: Path, pairs: Sequence[tuple[str, str]], **options: Any) -> dict[str, Any]:
    """The report of a retraining of the version in `parent` in the new folder `folder`."""
    folder.mkdir(parents=True)
    digest = write_corrections(folder / CORRECTIONS, pairs)
    told = str(folder / PROGRESS)
    job = Job("it-en", parent.name, "next", [str(parent.parents[1])], digest, "2026-11-28T03:00:00+00:00", told)
    (folder / JOB).write_text(job.to_json())
    with one_thread():
        return retrain(folder, Options(**options), Console(file=io.StringIO()))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """With tensors as small as these, a second thread only makes the first one wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def candidate_of(folder: Path) -> Path:
    """Where a retraining in `folder` puts its candidate."""
    return folder / "models" / "it-en" / "next"
