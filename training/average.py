"""Several versions -> one whose weights are their mean: `traghetto models average`.

What goes on from the same weights ends in the same basin, each at another edge of it: the mean lies further in, and is
often better than any of them, at the cost of one (Wortsman et al. 2022, "Model soups"; Izmailov et al. 2018, "Averaging
Weights Leads to Wider Optima"). Weights that began apart from each other have nothing in common to be averaged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model.config import require
from model.network.weights import Weights, build
from model.versions import store
from model.versions.card import CARD, check_name
from model.versions.store import WEIGHTS, Version
from training.adapting.anchor import ADAPTATION
from training.data.sources import commit
from training.evaluate import find_version, version_roots

MEAN_OF = "mean_of"
"""In a card's `training`: the versions, the SHA-256 of their weights, and their shares, which add up to 1."""
LEAST_ALIKE = 0.5
"""Cosine of the source embeddings of versions that go back to the same weights, at least. Of ours it is 0.99 after 15 M
tokens from the same weights and 0.86 after 125 M; of two that have just been initialised it is 0."""


def average(pair: str, shares: Mapping[str, float], name: str, root: Path | None = None) -> Path:
    """Write the mean of versions of `pair` as version `name` under `root`; its folder.

    The card goes on from that of the first version, with the tables that the others have read, and without scores:
    nothing has been measured of the mean.

    Args:
        shares: version, or its folder -> how much of it, above 0; in proportion to each other.
        root: the data directory's models by default.

    Raises:
        ConfigError: fewer than two versions, shares that are none, versions that do not go together, or `name` is
            there already.
        VersionError: a version is missing or damaged, or a name is not allowed.
    """
    root = root or version_roots()[0]
    check_name(pair, name)
    require(not (root / pair / name).exists(), f"{root / pair / name} exists already")
    require(len(shares) > 1, "a mean takes two versions or more")
    total = sum(shares.values())
    require(min(shares.values()) > 0 and math.isfinite(total), "shares must be more than 0, and finite together")
    versions = [store.load(_folder(pair, one)) for one in shares]
    _check(pair, versions)
    parts = [share / total for share in shares.values()]
    first = versions[0].card
    card: dict[str, Any] = {
        "parent": f"{pair}/{first.version}",
        "data": {table: told for one in reversed(versions) for table, told in one.card.data.items()},
        "settings": first.settings,
        "training": {
            **first.training,
            MEAN_OF: [
                {"version": f"{pair}/{one.card.version}", "sha256": one.card.files[WEIGHTS], "share": part}
                for one, part in zip(versions, parts, strict=True)
            ],
            "commit": commit(),
        },
    }
    model = build(versions[0].config, _mean([one.weights for one in versions], parts))
    return store.save(root, pair, name, model, (versions[0].source, versions[0].target), card)


def _folder(pair: str, named: str) -> Path:
    folder = find_version(pair, named)
    require((folder / CARD).exists(), f"{folder} is not a version; `traghetto train ... --export` makes one of a run")
    return folder


def _check(pair: str, versions: Sequence[Version]) -> None:
    """Refuse versions whose mean would be none, or would hide where it comes from."""
    first, seen = versions[0], set()
    for one in versions:
        card, named = one.card, f"{one.card.pair}/{one.card.version}"
        require(card.pair == pair, f"{named} is not a version of {pair}")
        require(ADAPTATION not in card.settings, f"{named} has learnt corrections: the gate has to judge those")
        require(card.files[WEIGHTS] not in seen, f"the weights of {named} are there twice")
        require(one.config == first.config, f"{named} has another architecture than {first.card.version}")
        same = _vocabularies(one) == _vocabularies(first)
        require(same, f"{named} has other vocabularies than {first.card.version}")
        alike = _cosine(one.weights, first.weights)
        require(
            alike > LEAST_ALIKE,
            f"{named} and {first.card.version} began apart from each other (cosine {alike:.2f})",
        )
        seen.add(card.files[WEIGHTS])


def _vocabularies(version: Version) -> dict[str, str]:
    """The SHA-256 of both."""
    return {name: digest for name, digest in version.card.files.items() if name.startswith(("source.", "target."))}


def _cosine(one: Weights, other: Weights) -> float:
    """How alike the source embeddings of two versions are."""
    ours, theirs = (weights["source_embedding.weight"].astype(np.float64).ravel() for weights in (one, other))
    return float(ours @ theirs / (np.linalg.norm(ours) * np.linalg.norm(theirs)))


def _mean(every: Sequence[Weights], parts: Sequence[float]) -> Weights:
    """The sum of `every` weights times their `parts`, in fp32; they have the same names and shapes."""
    found = {name: np.zeros(array.shape, np.float32) for name, array in every[0].items()}
    for weights, part in zip(every, parts, strict=True):
        for name, total in found.items():
            total += np.float32(part) * weights[name].astype(np.float32)
    return found
