"""Italian full of English words is no English: such corrections are marked at most, while real mistakes are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.corrections.checks import Limits, check
from app.corrections.values import Draft
from app.translating.detection import detect

SETS = Path(__file__).parents[4] / "training" / "sets" / "it-en"
LOANWORDS = (
    ("Lo staff del marketing fa brainstorming.", "The marketing staff is brainstorming."),
    ("Il team leader organizza il kick-off meeting.", "The team leader organises the kick-off meeting."),
    ("Fai il login con la password dell'account.", "Log in with the account password."),
    ("Il manager convoca un meeting via streaming.", "The manager calls a meeting by streaming."),
    ("Marco fa smart working nel weekend.", "Marco works from home at the weekend."),
    ("Shopping online: sconti e cashback.", "Online shopping: discounts and cashback."),
    ("Il leader del team ha un budget low cost.", "The team leader has a low budget."),
    ("Clicca sul link e fai il download del file.", "Click on the link and download the file."),
    ("La startup cerca un software developer junior.", "The startup is looking for a junior software developer."),
    ("Ho perso lo smartphone al fast food.", "I lost my smartphone at the fast food restaurant."),
    ("Il blogger posta selfie ogni weekend.", "The blogger posts selfies every weekend."),
    ("Condividi lo screenshot nella chat privata.", "Share the screenshot in the private chat."),
    ("Serve il feedback del management entro domani.", "We need the management's feedback by tomorrow."),
    ("Il business plan prevede un budget minimo.", "The business plan has a minimal budget."),
    ("Fitness, jogging e stretching ogni mattina.", "Fitness, jogging and stretching every morning."),
    ("La boutique vende jeans vintage e sneakers.", "The boutique sells vintage jeans and trainers."),
    ("Backup automatico dei file nel cloud.", "Automatic backup of files in the cloud."),
    ("Lo sponsor finanzia il reality show.", "The sponsor finances the reality show."),
    ("Il barman prepara cocktail e drink.", "The bartender makes cocktails and drinks."),
    ("Il designer presenta il nuovo layout del sito web.", "The designer presents the new layout of the website."),
    ("Cliccare sul tab Report e fare export.", "Click on the Report tab and export."),
    ("Il browser blocca i pop-up e i cookie.", "The browser blocks pop-ups and cookies."),
    ("Lo stage da web designer dura sei mesi.", "The web designer internship lasts six months."),
    ("Il trend dei brand di lusso resta stabile.", "The trend of luxury brands remains stable."),
    ("Prenota subito un last minute in hotel.", "Book a last-minute hotel room now."),
    ("Mia sorella fa la baby sitter part time.", "My sister works as a part-time babysitter."),
    ("Il server web va in crash durante il test.", "The web server crashes during the test."),
    ("Inserisci username e password, poi premi login.", "Enter your username and password, then press login."),
    ("Il film horror ha un budget da record.", "The horror film has a record budget."),
    ("Il rock e il jazz sono la mia passione.", "Rock and jazz are my passion."),
    ("Il gossip sullo show business vende bene.", "Gossip about show business sells well."),
    ("Nel box office domina un film fantasy.", "A fantasy film dominates the box office."),
    ("Il coach urla ai fan durante il match.", "The coach shouts at the fans during the match."),
    ("Upgrade gratuito del software antivirus.", "Free upgrade of the antivirus software."),
    ("Mixer, hi-fi e computer in offerta.", "Mixers, hi-fi and computers on offer."),
    ("Report e slide sono nella cartella marketing.", "Reports and slides are in the marketing folder."),
    ("Vado al pub con un gruppo punk rock.", "I go to the pub with a punk rock band."),
    ("Il call center offre assistenza full time.", "The call centre offers full-time help."),
    ("Servizio di customer care: chat, mail, telefono.", "Customer care service: chat, mail, telephone."),
    ("Il team di project management usa Scrum.", "The project management team uses Scrum."),
    ("Brunch, snack e drink inclusi.", "Brunch, snacks and drinks included."),
    ("Lo storytelling del brand punta sui social network.", "The brand's storytelling focuses on social networks."),
    ("Compra un tablet e una smart TV in offerta.", "Buy a tablet and a smart TV on offer."),
    ("Il bar ha uno snack bar e un self service.", "The bar has a snack bar and a self-service counter."),
    ("Reset della password tramite link via mail.", "Password reset through a link by mail."),
)
"""Of our own writing, each with its translation."""


def refused(source: str, target: str, source_text: str, corrected: str) -> list[str]:
    verdict = check(Draft(source, target, source_text, "?", corrected), detect, Limits(1000))
    return [f"{error.field}: {error.message}" for error in verdict.errors]


@pytest.mark.parametrize(("italian", "english"), LOANWORDS)
def test_borrowed_words_are_no_evidence(italian: str, english: str) -> None:
    assert refused("it", "en", italian, english) == []
    assert refused("en", "it", english, italian) == []


def test_what_looks_like_the_other_language_is_marked() -> None:
    draft = Draft("it", "en", "Vado al pub con un gruppo punk rock.", "?", "I go to the pub with a punk rock band.")
    assert check(draft, detect, Limits(1000)).marks == ["language: source_text may not be Italian"]


def test_sides_that_are_exchanged_are_still_refused() -> None:
    """Of our own general set; what is not refused must be marked."""
    lines = (SETS / "general.tsv").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t")[:2] for line in lines if not line.startswith("#")]
    caught = [bool(refused("it", "en", english, italian)) for italian, english in pairs]
    assert sum(caught) > 0.95 * len(pairs)
    assert not any(refused("it", "en", italian, english) for italian, english in pairs)
