"""A model version is a folder: written whole or not at all, checked before it is used, found by name.

    <root>/<pair>/<version>/
        model.safetensors       weights, fp16, tied ones once
        config.json             ModelConfig
        source.model target.model   SentencePiece, or source.json target.json for whole words
        card.json               Card, with the SHA-256 of all the others
    <root>/<pair>/current.json      which version is current, see `model.versions.pointers`

Reading never runs code from a folder: safetensors and JSON only, no pickle. Nor does it need torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from model.config import ModelConfig
from model.errors import ConfigError, ModelError, TokenizerError, VersionDamaged, VersionError, VersionNotFound
from model.network.weights import Weights, build, weights_of
from model.text.tokenizer import Tokenizer, load_tokenizer
from model.versions.card import CARD, Card, check_name, now
from model.versions.disk import replacing
from model.versions.pointers import DEFAULT, current
from model.versions.weights_file import read_weights, write_weights

if TYPE_CHECKING:
    from model.network.seq2seq import Seq2Seq

BUNDLED = Path(__file__).parents[1] / "weights"
"""The versions that ship with the program."""

WEIGHTS, CONFIG = "model.safetensors", "config.json"
SUFFIXES = (".model", ".json")
PICKLES = frozenset({".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz"})


@dataclass(frozen=True)
class Version:
    """A version read into memory, checked."""

    card: Card
    config: ModelConfig
    weights: Weights
    """As `model.network.weights` has them: in fp16 where they are from a file, in fp32 of a network in memory."""
    source: Tokenizer
    target: Tokenizer

    @classmethod
    def of(cls, card: Card, model: Seq2Seq, source: Tokenizer, target: Tokenizer) -> Self:
        """A version that is not in a folder, such as one in training."""
        return cls(card, model.config, weights_of(model), source, target)

    @cached_property
    def model(self) -> Seq2Seq:
        """The network on the CPU, in fp32, in evaluation mode; made when it is first asked for, by torch."""
        return build(self.config, self.weights)


@dataclass(frozen=True)
class VersionInfo:
    """One line of a listing. Its files are not hashed: a listing must be quick."""

    pair: str
    version: str
    folder: Path
    size_bytes: int
    card: Card | None
    problem: str | None
    """Why there is no card."""


def save(  # noqa: PLR0913 - what a version consists of, by name
    root: Path,
    pair: str,
    version: str,
    model: Seq2Seq,
    tokenizers: tuple[Tokenizer, Tokenizer],
    card: dict[str, Any],
    *,
    overwrite: bool = False,
) -> Path:
    """Write a version under `root` and give its folder, which appears complete or not at all.

    `card` may hold `parent`, `scores`, `data`, `settings`, `created`; the rest of the card is filled in.

    Raises:
        VersionError: a name is not allowed, the version exists and `overwrite` is false, the folder cannot be
            written, or a weight does not fit fp16.
        ConfigError: `card` holds an unknown key.
    """
    check_name(pair, version)
    folder = root / pair / version
    if folder.exists() and not overwrite:
        raise VersionError("it exists already; choose another version name or say that it may be replaced", folder)
    try:
        with replacing(folder) as temporary:
            write_weights(temporary / WEIGHTS, model)
            (temporary / CONFIG).write_text(model.config.to_json(), encoding="utf-8")
            for side, tokenizer in zip(("source", "target"), tokenizers, strict=True):
                tokenizer.save(temporary / f"{side}{tokenizer.suffix}")
            files = {path.name: _sha256(path) for path in sorted(temporary.iterdir())}
            full = Card.from_dict({"created": now(), **card, "pair": pair, "version": version, "files": files})
            (temporary / CARD).write_text(full.to_json(), encoding="utf-8")
    except OSError as error:
        raise VersionError(f"it cannot be written: {error.strerror}", folder) from error
    return folder


def verify(folder: Path) -> Card:
    """The card of the version in `folder`, after every file was found, expected, and unchanged.

    Raises:
        VersionNotFound: there is no such folder.
        VersionDamaged: names the file that is missing, changed, or not one of ours, and what to do.
    """
    if not folder.is_dir():
        raise VersionNotFound("there is no model version here", folder)
    card = verify_files(folder)
    if (folder.resolve().parent.name, folder.resolve().name) != (card.pair, card.version):
        raise VersionDamaged(
            f"it holds version {card.version} of {card.pair}: "
            f"rename it to {card.pair}/{card.version}, or name the right folder",
            folder,
        )
    return card


def verify_files(folder: Path) -> Card:
    """As `verify`, whatever the folder is called."""
    names = {path.name for path in folder.iterdir()}
    _refuse_pickles(folder, names)
    card = Card.read(folder)
    expected = set(card.files)
    _refuse_other_files(folder, names - {CARD}, expected)
    for name in sorted(expected):
        if not (folder / name).is_file() or _sha256(folder / name) != card.files[name]:
            raise VersionDamaged(
                f"{name} is not the file that the card describes (SHA-256 differs): "
                "it was changed or cut short. Copy or train the version again",
                folder,
            )
    return card


def load(folder: Path) -> Version:
    """Check the version in `folder` and read it.

    Raises:
        VersionNotFound, VersionDamaged: as `verify`, and when the weights, settings and tokenizers do not fit together.
    """
    card = verify(folder)
    try:
        config = ModelConfig.from_json((folder / CONFIG).read_text(encoding="utf-8"))
        source, target = (load_tokenizer(_tokenizer_path(folder, side)) for side in ("source", "target"))
    except (ConfigError, TokenizerError) as error:
        raise VersionDamaged(error.problem, folder) from error
    except UnicodeDecodeError as error:
        raise VersionDamaged(f"{CONFIG} cannot be read: {error}", folder) from error
    sizes = {"source": (source, config.source_vocab_size), "target": (target, config.target_vocab_size)}
    for side, (tokenizer, size) in sizes.items():
        if tokenizer.vocab_size != size:
            raise VersionDamaged(
                f"the {side} tokenizer has {tokenizer.vocab_size} pieces, {CONFIG} says {size}", folder
            )
    return Version(card, config, read_weights(folder / WEIGHTS, config), source, target)


def list_versions(roots: Sequence[Path], pair: str | None = None) -> list[VersionInfo]:
    """Every version under `roots`, by pair and name; where a name occurs in several roots, the first root's."""
    found: dict[tuple[str, str], VersionInfo] = {}
    for root in roots:
        for folder in sorted(root.glob("*/*")) if root.is_dir() else ():
            key = (folder.parent.name, folder.name)
            if key not in found and (pair is None or key[0] == pair) and _is_version(folder):
                found[key] = _info(folder)
    return [found[key] for key in sorted(found)]


def find(roots: Sequence[Path], pair: str, version: str | None = None) -> Path:
    """The folder of `version` of `pair` in the first of `roots` that has it; without `version`, of the current one.

    Raises:
        VersionError: a name is not allowed.
        VersionNotFound: no root has it; the text lists what there is.
        VersionDamaged: without `version`, the pointer cannot be read.
    """
    wanted = current(roots, pair) if version is None else version
    check_name(pair, wanted)
    for root in roots:
        folder = root / pair / wanted
        if folder.is_dir():
            return folder
    known = [f"{info.pair}/{info.version}" for info in list_versions(roots)]
    which = "" if version is not None or wanted == DEFAULT else ", which is said to be the current one"
    there = ", ".join(known) or "none at all"
    raise VersionNotFound(f"there is no version {wanted} of {pair}{which}; there are: {there}")


def _is_version(folder: Path) -> bool:
    try:
        check_name(folder.parent.name, folder.name)
    except VersionError:
        return False
    return folder.is_dir()


def _info(folder: Path) -> VersionInfo:
    card, problem = None, None
    try:
        card = Card.read(folder)
    except ModelError as error:
        problem = error.problem
    size = _size(folder)
    return VersionInfo(folder.parent.name, folder.name, folder, size, card, problem)


def _size(folder: Path) -> int:
    try:
        return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    except OSError:  # it may not be looked into, or is just being removed
        return 0


def _tokenizer_path(folder: Path, side: str) -> Path:
    """`source.model` or `source.json`; `verify` has seen that there is exactly one."""
    return next(path for suffix in SUFFIXES if (path := folder / f"{side}{suffix}").exists())


def _refuse_pickles(folder: Path, names: set[str]) -> None:
    pickles = sorted(name for name in names if Path(name).suffix.lower() in PICKLES)
    if pickles:
        raise VersionDamaged(
            f"it holds {', '.join(pickles)}: such files can run code when they are read, and are refused. "
            "Remove them if the version came from somebody you trust, or train it again",
            folder,
        )


def _refuse_other_files(folder: Path, found: set[str], expected: set[str]) -> None:
    """Raise unless `found` is what the card promises and that is what a version consists of."""
    kinds = [{WEIGHTS, CONFIG, f"source{suffix}", f"target{suffix}"} for suffix in SUFFIXES]
    if expected not in kinds:
        raise VersionDamaged(
            f"{CARD} lists {', '.join(sorted(expected)) or 'no files'}; "
            f"a version consists of {', '.join(sorted(kinds[0]))} (or .json tokenizers)",
            folder,
        )
    if missing := sorted(expected - found):
        raise VersionDamaged(f"it lacks {', '.join(missing)}: copy or train the version again", folder)
    if extra := sorted(found - expected):
        raise VersionDamaged(f"it holds {', '.join(extra)}, which is not in its card: remove it", folder)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
