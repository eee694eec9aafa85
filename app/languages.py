"""The two languages, and the directions between them: the only place that lists them."""

from __future__ import annotations

from typing import Literal

Language = Literal["it", "en"]
LANGUAGES: tuple[Language, ...] = ("it", "en")
OTHER = {"it": "en", "en": "it"}
Pair = Literal["it-en", "en-it"]
PAIRS: tuple[Pair, ...] = ("it-en", "en-it")
