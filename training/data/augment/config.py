"""How often pairs are augmented; everything is off unless the settings say otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from model.config import JsonConfig, require

SHARES = ("invented", "surnames")
"""Of those that `names` changes."""


@dataclass(frozen=True)
class AugmentConfig(JsonConfig):
    """Probabilities, each tried on its own on the pairs that it fits; several may hit one pair."""

    names: float = 0.0
    """Known first names and surnames become others."""
    invented: float = 0.25
    """Of the new names: made of random syllables."""
    surnames: float = 0.15
    """Of the new first names: with a surname behind them."""
    places: float = 0.0
    """A city becomes another, or a country."""
    digits: float = 0.0
    """Numbers in words become digits: `tre gatti` -> `3 gatti`."""
    amounts: float = 0.0
    """Sums of money become others, with a sign: `$1,250.50`, `1.250,50 $`."""
    large: float = 0.0
    """Counts become ones with thousands or decimals: `12.450 persone`, `12,450 people`."""
    numbers: float = 0.0
    """Digits become others."""
    days: float = 0.0
    """Years get a day: `nel 2013` -> `il 24/3/2013`, `il 24 marzo 2013`."""
    minutes: float = 0.0
    """Full hours in digits get minutes: `alle 7` -> `alle 7:40`."""
    dotted_times: float = 0.0
    """Italian `7:30` becomes `7.30`."""
    forms: float = 0.0
    """Words and phrases without a final mark: capitalised, marked, in capitals."""
    lists: float = 0.0
    """The same, joined by commas."""
    no_final_mark: float = 0.0
    """Both sides lose their final mark."""
    title_case: float = 0.0
    """Phrases of at most `title_words` words: Every Word Capitalised."""
    joined: float = 0.0
    """A sentence gets another behind it."""
    form_words: int = 4
    """Longest phrase that `forms` and `lists` take."""
    title_words: int = 6
    joined_max_chars: int = 160
    short_repeats: list[int] = field(default_factory=list)
    """How often in a pass pairs of one word, two, three ... come, by their longer side; longer ones come once."""
    short_groups: list[str] = field(default_factory=list)
    """Groups that `short_repeats` holds for."""

    def __post_init__(self) -> None:
        for name in PROBABILITIES:
            require(0 <= getattr(self, name) <= 1, f"augment.{name} must be between 0 and 1")
        for name in ("form_words", "title_words", "joined_max_chars"):
            require(getattr(self, name) >= 1, f"augment.{name} must be at least 1")
        require(all(1 <= times <= 100 for times in self.short_repeats), "augment.short_repeats must be 1 to 100 each")

    @property
    def works(self) -> bool:
        """Whether any pair is ever changed."""
        return any(getattr(self, name) for name in PROBABILITIES if name not in SHARES)

    def repeats(self, group: str, source: str, target: str) -> int:
        """How often a pair comes in a pass through its group."""
        if group not in self.short_groups:
            return 1
        words = max(source.count(" "), target.count(" "))
        return self.short_repeats[words] if words < len(self.short_repeats) else 1


PROBABILITIES = tuple(one.name for one in fields(AugmentConfig) if isinstance(one.default, float))
"""Names of the settings that are one: all with a fraction as their default."""
