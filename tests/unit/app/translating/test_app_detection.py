"""Italian, English, or neither: what people type, and what must not be guessed."""

from __future__ import annotations

import threading
import time

import pytest

from app.translating.detection import NEITHER, Detection, Detector, detect

DETECTOR = Detector()


def language(text: str) -> str | None:
    return DETECTOR.detect(text).language


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Domani mattina prendiamo il traghetto per l'isola.", "it"),
        ("Quanto costa una camera con vista sul porto?", "it"),
        ("Tomorrow morning we take the ferry to the island.", "en"),
        ("How much is a room with a view of the harbour?", "en"),
        ("buona notte", "it"),
        ("mi dispiace", "it"),
        ("good night", "en"),
        ("where to", "en"),
        ("I am fine.", "en"),
        ("My name is Giovanni.", "en"),
        ("I like spaghetti", "en"),
        ("Come here", "en"),
        ("Mi chiamo Mark Brown.", "it"),
        ("Lui vive a London.", "it"),
        ('Il film "The Godfather" è bello.', "it"),
        ("Come stai?", "it"),
    ],
)
def test_sentences_and_pairs_of_words(text: str, expected: str) -> None:
    found = DETECTOR.detect(text)
    assert found.language == expected
    assert 0.5 <= found.confidence <= 1
    assert detect(text).language == expected


@pytest.mark.parametrize(
    "text",
    [
        "perche non e venuta ieri sera",
        "non so se lei puo venire",
        "e gia tardi devo andare a casa",
        "cosa c e per cena",
    ],
)
def test_careless_italian_is_italian(text: str) -> None:
    assert language(text) == "it", "small letters without accents are how people type"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t",
        "1234 56,7",
        "😀 🚲",
        "?!…",
        "https://example.org/il-porto info@example.org",
        "\ud800",
        "Добрый вечер, где находится вокзал?",
        "駅はどこですか",
        "Merhaba, nasılsın?",
        "Mulțumesc",
    ],
)
def test_what_is_in_neither_language(text: str) -> None:
    assert DETECTOR.detect(text) == NEITHER


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Je voudrais réserver une table pour ce soir, s'il vous plaît.", "fr"),
        ("Mañana por la mañana vamos a comprar el pan en la plaza.", "es"),
        ("Guten Morgen, wo finde ich bitte den Bahnhof?", "de"),
    ],
)
def test_a_neighbouring_language_is_named(text: str, language: str) -> None:
    assert DETECTOR.detect(text) == Detection(None, 0.0, language)


def test_addresses_do_not_decide() -> None:
    assert language("Ho letto tutto su https://www.example.org/the-best-of-the-english-news-and-weather") == "it"


def test_lone_surrogates_are_passed_over() -> None:
    assert language("Domani vado al mercato \udc80 con mia sorella.") == "it"


def test_confidence_is_lower_where_the_text_shows_less() -> None:
    assert DETECTOR.detect("no").confidence < DETECTOR.detect("No, non posso venire con voi domani.").confidence


@pytest.mark.parametrize("part", ["Il traghetto parte alle otto. ", "a", "😀", "è\u0301", "www. "])
def test_a_very_long_text_takes_no_longer(part: str) -> None:
    DETECTOR.detect("questo is un very strano testo")  # loads the models
    text = part * (2_000_000 // len(part))
    start = time.perf_counter()
    DETECTOR.detect(text)
    elapsed_s = time.perf_counter() - start
    assert elapsed_s < 0.5, f"{len(text)} characters took {elapsed_s:.2f} s; about a millisecond is usual"


def test_threads_share_one_detector() -> None:
    detector, answers = Detector(), list[str | None]()
    threads = [
        threading.Thread(target=lambda: answers.append(detector.detect("Che ore sono adesso?").language))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["it"] * 8
