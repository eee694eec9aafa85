"""What a key may be good for. Imports nothing of ours: settings and access both stand on it."""

from __future__ import annotations

from typing import Literal, get_args

Scope = Literal["translate", "correct", "review", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
ALL_SCOPES: frozenset[Scope] = frozenset(SCOPES)
CLOSED_SCOPES: frozenset[Scope] = frozenset(("review", "admin"))
"""Never open to all."""
