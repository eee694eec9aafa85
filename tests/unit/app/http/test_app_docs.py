"""docs/api.md tells every error and every metric that there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.http.kinds import KINDS, Kind
from app.http.schemas.translation import DetailsOut, SentenceOut, TranslateBody, TranslationOut
from app.metrics import Metrics

DOCS = (Path(__file__).parents[4] / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", sorted(set(KINDS.values()), key=lambda kind: kind.slug), ids=lambda kind: kind.slug)
def test_every_kind_of_error_is_documented(kind: Kind) -> None:
    line = next((line for line in DOCS.splitlines() if f"/problems/{kind.slug}`" in line and line.startswith("|")), "")
    assert line.startswith(f"| {kind.status} |"), f"docs/api.md lacks {kind.slug} with status {kind.status}"


@pytest.mark.parametrize("model", [TranslateBody, TranslationOut, DetailsOut, SentenceOut])
def test_every_field_is_documented(model: type) -> None:
    missing = [name for name in model.model_fields if f"`{name}`" not in DOCS]  # type: ignore[attr-defined]
    assert missing == []


def test_every_metric_is_documented() -> None:
    names = {metric.name for metric in Metrics().registry.collect()}
    assert [name for name in sorted(names) if f"`{name}" not in DOCS] == []
