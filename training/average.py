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
from model.errors import ConfigError
from model.network.weights import Weights, build
from model.versions import store
from model.versions.card import CARD
from model.versions.store import Version
from training.adapting.anchor import ADAPTATION
from training.data.sources import commit
from training.evaluate import version_roots

MEAN_OF = "mean_of"
"""In a card's `training`: version -> its share."""


def average(pair: str, shares: Mapping[str, float], name: str, root: Path) -> Path:
    """Write the mean of versions of `pair` as version `name` under `root`; its folder.

    The card goes on from that of the first version, without its scores: nothing has been measured of the mean.

    Args:
        shares: version, or its folder -> how much of it, above 0; together they are made to be 1.

    Raises:
        ConfigError: fewer than two versions, a share that is none, or versions that do not go together.
        VersionError: a version is missing or damaged, or `name` is there already.
    """
    require(len(shares) > 1, "a mean takes two versions or more")
    for one, share in shares.items():
        require(share > 0 and math.isfinite(share), f"the share of {one} must be more than 0")
    versions = [store.load(_find(pair, one)) for one in shares]
    _check(pair, versions)
    first = versions[0].card
    parts = [share / sum(shares.values()) for share in shares.values()]
    names = [f"{version.card.pair}/{version.card.version}" for version in versions]
    require(len(set(names)) == len(names), "the same version twice, or two of one name: rename one of them")
    card: dict[str, Any] = {
        "parent": names[0],
        "data": first.data,
        "settings": first.settings,
        "training": {**first.training, MEAN_OF: dict(zip(names, parts, strict=True)), "commit": commit()},
    }
    model = build(versions[0].config, mean([version.weights for version in versions], parts))
    return store.save(root, pair, name, model, (versions[0].source, versions[0].target), card)


def mean(every: Sequence[Weights], parts: Sequence[float]) -> Weights:
    """The sum of `every` weights times their `parts`, in fp32; they have the same names and shapes."""
    found = {name: np.zeros(array.shape, np.float32) for name, array in every[0].items()}
    for weights, part in zip(every, parts, strict=True):
        for name, total in found.items():
            total += np.float32(part) * weights[name].astype(np.float32)
    return found


def _find(pair: str, version: str) -> Path:
    folder = Path(version)
    return folder if (folder / CARD).exists() else store.find(version_roots(), pair, version)


def _check(pair: str, versions: Sequence[Version]) -> None:
    """Refuse versions whose mean would be none, or would hide where it comes from."""
    first = versions[0]
    for one in versions:
        named = f"{one.card.pair}/{one.card.version}"
        require(one.card.pair == pair, f"{named} is not a version of {pair}")
        if ADAPTATION in one.card.settings:
            raise ConfigError(f"{named} has learnt corrections: what comes of those, the gate has to judge")
        same = one.config == first.config and _vocabularies(one) == _vocabularies(first)
        require(same, f"{named} has another architecture or other vocabularies than {first.card.version}")


def _vocabularies(version: Version) -> dict[str, str]:
    """The SHA-256 of both."""
    return {name: digest for name, digest in version.card.files.items() if name.startswith(("source.", "target."))}
