"""What somebody is told who stops the translation of a corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.commands.streams import corpus
from app.corpora.workers import Wanted


@pytest.mark.parametrize(
    ("force", "told"), [(False, "stopped; the same command"), (True, "stopped; without --force the same command")]
)
def test_what_goes_on_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], force: bool, told: str
) -> None:
    """With `--force` the same command would throw away what is done."""

    def stopped(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(corpus, "translate_corpus", stopped)
    with pytest.raises(KeyboardInterrupt):
        corpus.translate_folder(
            (str(tmp_path), f"{tmp_path}/en"), Wanted("it-en", None), 1, corpus.Options(), resume=False, force=force
        )
    assert capsys.readouterr().err == f"traghetto: {told} goes on\n"
