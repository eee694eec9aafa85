"""The card of a model version: what it is, where it came from, and the hashes of its files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from model.config import JsonConfig
from model.errors import ConfigError, VersionDamaged, VersionError

CARD = "card.json"
POINTER = "current.json"
"""What lies beside the version folders of a pair, see `model.versions.pointers`: no version may have this name."""
FORMAT = 1
YEARS = range(1970, 9999)
PAIR = re.compile(r"[a-z]{2,3}-[a-z]{2,3}")
VERSION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Card(JsonConfig):
    """`card.json`. Unknown keys are an error, like in every settings file; the last four are free in form."""

    pair: str
    """Source and target language, `it-en`."""
    version: str
    created: str
    """ISO 8601, with time and time zone."""
    files: dict[str, str]
    """Name -> SHA-256 in hexadecimal, of every file but the card."""
    parent: str | None = None
    """The version that training started from."""
    format: int = FORMAT
    scores: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    """How long, how many, on what."""

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ConfigError(f"the card has format {self.format!r}; this program reads format {FORMAT}")
        check_name(self.pair, self.version)
        for name in ("files", "scores", "data", "settings", "training"):
            if not isinstance(getattr(self, name), dict):
                raise ConfigError(f"{name} must be a JSON object")
        if not all(isinstance(value, str) for value in self.files.values()):
            raise ConfigError("files must map each name to a SHA-256")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """As for all settings; besides, `created` must be a moment: whoever lists versions computes with it."""
        card = super().from_dict(values)
        moment(card.created, "created")
        return card

    @classmethod
    def read(cls, folder: Path) -> Card:
        """The card of the version in `folder`, its files unchecked.

        Raises:
            VersionDamaged: there is no card, or it is not one of ours.
        """
        path = folder / CARD
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise VersionDamaged(f"it has no {CARD}, so it is not a model version of ours", folder) from None
        except OSError as error:
            raise VersionDamaged(f"{CARD} cannot be read: {error.strerror}", folder) from error
        except UnicodeDecodeError as error:
            raise VersionDamaged(f"{CARD} cannot be read: {error}", folder) from error
        except (ConfigError, VersionError) as error:
            raise VersionDamaged(f"{CARD} is not a card of ours: {error.problem}", folder) from error


def now() -> str:
    """The time as cards have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def moment(text: object, name: str) -> datetime:
    """The moment that `text` says, such as `2026-11-25T03:24:00+00:00`.

    Raises:
        ConfigError: it says none; `name` is the field that the text tells of.
    """
    try:
        read = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        read = None
    if read is None or read.tzinfo is None or read.year not in YEARS:
        raise ConfigError(f"{name} must be date and time with a time zone, such as {now()}, not {text!r:.80}")
    return read


def check_name(pair: str, version: str) -> None:
    """Refuse names that are not a language pair and a version, so that no name can lead out of a root folder.

    Raises:
        VersionError: with what is allowed.
    """
    if not isinstance(pair, str) or not PAIR.fullmatch(pair):
        raise VersionError(f"{pair!r} is not a language pair; one looks like 'it-en'")
    if not isinstance(version, str) or not VERSION.fullmatch(version) or ".." in version:
        raise VersionError(
            f"{version!r} is not a version name: 1 to 64 letters, digits, '.', '_' or '-', "
            "with a letter or digit at both ends and no two dots in a row"
        )
    if version.lower() == POINTER:  # in any case: file systems may take them for the same
        raise VersionError(f"{version!r} is not a version name: {POINTER} is the file that says which one is current")
