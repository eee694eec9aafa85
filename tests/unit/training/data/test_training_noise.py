"""Careless typing: what is disturbed, what must not be, and how often."""

import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import ConfigError
from model.text.tokenizer import PLACEHOLDERS
from training.data.noise import COPIES, NoiseConfig, disturb, insert_placeholders, make_typo

SENTENCE = "Perché l'amico di Carla è già partito per Genova?"
TARGET = "Why has Carla's friend already left for Genova?"
OFF = dict.fromkeys(NoiseConfig().to_dict(), 0.0)
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


def only(**probabilities):
    return NoiseConfig(**{**OFF, **probabilities})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accents dropped", "Perche l'amico di Carla e gia partito per Genova?"),
        ("apostrophes for accents", "Perche' l'amico di Carla e' gia' partito per Genova?"),
        ("lower case", "perché l'amico di carla è già partito per genova?"),
        ("capitals", "PERCHÉ L'AMICO DI CARLA È GIÀ PARTITO PER GENOVA?"),
        ("no punctuation", "Perché l'amico di Carla è già partito per Genova"),
        ("as in chats", "Xke l'amico di Carla è già partito per Genova?"),
    ],
)
def test_each_copy_of_a_test_set_is_what_its_name_says(name, expected):
    assert COPIES[name](SENTENCE) == expected


def test_the_copy_with_typos_has_one_a_sentence_and_always_the_same():
    disturbed = COPIES["typos"](SENTENCE)
    assert disturbed == COPIES["typos"](SENTENCE) != SENTENCE
    assert sum(a != b for a, b in zip(disturbed.split(), SENTENCE.split(), strict=True)) == 1


def test_accents_inside_words_go_and_other_scripts_stay():
    assert COPIES["apostrophes for accents"]("È un'élite, però.") == "E' un'elite, pero'."
    assert COPIES["accents dropped"]("señor 한국") == "senor 한국"


@pytest.mark.parametrize("text", ["", "?", "...", "a", "🙂"])
def test_copies_never_empty_a_line(text):
    assert all(bool(copy(text)) == bool(text) for copy in COPIES.values())


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("accents_dropped", ("e l'ora", "It is time?")),
        ("accents_as_apostrophes", ("e' l'ora", "It is time?")),
        ("caps", ("È L'ORA", "IT IS TIME?")),
        ("other_apostrophes", ("è l’ora", "It is time?")),
    ],
)
def test_a_certain_disturbance_happens_and_only_it(setting, expected):
    assert disturb("è l'ora", "It is time?", random.Random(1), 1.0, only(**{setting: 1.0})) == expected


def test_the_source_alone_loses_case_and_final_punctuation():
    config = only(lower_case=1.0, no_final_punctuation=1.0)
    assert disturb("Vieni, Carla?", "Are you coming, Carla?", random.Random(1), 1.0, config) == (
        "vieni, carla", "Are you coming, Carla?"
    )  # fmt: skip


def test_who_writes_as_in_chats_is_answered_in_whole_words():
    drawn = {disturb("Non so.", "I don't know.", random.Random(seed), 1.0, only(chat=1.0)) for seed in range(20)}
    assert drawn == {("Non so.", "I don't know."), ("Nn so.", "I don't know.")}
    assert disturb("Che Guevara", "Che Guevara", random.Random(1), 1.0, only(chat=1.0))[0] == "Che Guevara"


def test_strength_0_changes_nothing():
    rng = random.Random(1)
    assert all(disturb(SENTENCE, TARGET, rng, 0.0) == (SENTENCE, TARGET) for _ in range(1000))


def test_the_same_random_state_gives_the_same_noise():
    runs = [[disturb(SENTENCE, TARGET, random.Random(7), 3.0)] for _ in range(2)]
    assert runs[0] == runs[1]


def test_disturbances_are_as_frequent_as_configured_and_combine():
    rng, config = random.Random(3), NoiseConfig()
    sources = [disturb(SENTENCE, TARGET, rng, 2.0)[0] for _ in range(20_000)]
    share = {
        "accents": sum("è" not in text.lower() for text in sources) / len(sources),
        "lower": sum(text == text.lower() for text in sources) / len(sources),
        "caps": sum(text == text.upper() for text in sources) / len(sources),
        "question": sum("?" not in text for text in sources) / len(sources),
    }
    assert share == pytest.approx(
        {
            "accents": 2 * (config.accents_dropped + config.accents_as_apostrophes),
            "lower": 2 * config.lower_case,
            "caps": 2 * config.caps,
            "question": 2 * config.no_final_punctuation,
        },
        rel=0.15,
    )
    assert any(text == text.lower() and "è" not in text and "?" not in text for text in sources)


def test_a_typo_is_small_and_spares_names_short_words_and_placeholders():
    rng = random.Random(5)
    text = "Carla va da <ph3> con la NATO domani"
    changed = Counter()
    for _ in range(500):
        words = make_typo(text, rng, {"Carla"}).split()
        for before, after in zip(text.split(), words, strict=True):
            if before != after:
                changed[before] += 1
                assert after[0] == before[0]
                assert abs(len(after) - len(before)) <= 1
    assert set(changed) == {"domani"}


def test_a_typo_keeps_the_case_of_the_key():
    slips = {make_typo("McGregor", random.Random(seed)) for seed in range(300)}
    assert any(re.fullmatch("Mc[FH]regor", slip) for slip in slips)
    assert not any(re.match("Mc[fh]", slip) for slip in slips)


def test_placeholders_stand_for_the_same_span_on_both_sides():
    rng = random.Random(2)
    source, target = "Carla parte alle 18:30 da Genova, non da Roma.", "Carla leaves Genova, not Rome, at 18:30."
    for _ in range(200):
        ours, theirs = insert_placeholders(source, target, rng)
        marks = re.findall(r"<ph\d>", ours)
        assert sorted(marks) == sorted(re.findall(r"<ph\d>", theirs))
        assert 1 <= len(marks) == len(set(marks)) <= 3
        for text, original in ((ours, source), (theirs, target)):
            assert re.fullmatch(re.sub(r"<ph\d>", "(Carla|18:30|Genova)", re.escape(text)), original)


@pytest.mark.parametrize(
    ("source", "target", "span"),
    [
        ("Vedi https://example.org/a?b=1.", "See https://example.org/a?b=1.", "https://example.org/a?b=1"),
        ("Scrivi a carla@example.org!", "Write to carla@example.org!", "carla@example.org"),
        ("Costa 1.250,00 euro", "It costs 1.250,00 dollars", "1.250,00"),
    ],
)
def test_addresses_and_numbers_are_replaced_whole(source, target, span):
    ours, theirs = insert_placeholders(source, target, random.Random(4))
    mark = re.search(r"<ph\d>", ours)[0]
    assert (ours, theirs) == (source.replace(span, mark), target.replace(span, mark))


def test_short_words_that_both_languages_have_are_no_names():
    ours, theirs = insert_placeholders("come va in no", "no in va come", random.Random(1))
    assert re.sub(r"^<ph\d> | <ph\d>$", "", ours) == "come va in no"
    assert re.sub(r"^<ph\d> | <ph\d>$", "", theirs) == "no in va come"


def test_placeholders_occur_in_half_a_percent_of_the_pairs():
    rng = random.Random(6)
    pairs = [("Sono stanco.", "I am tired."), (SENTENCE, TARGET)] * 20_000
    found = sum("<ph" in disturb(*pair, rng, 0.7)[0] for pair in pairs)
    assert 0.004 < found / len(pairs) < 0.006


def test_nothing_is_added_to_an_empty_side_or_to_placeholders():
    assert insert_placeholders("", "Hi", random.Random(1)) is None
    assert insert_placeholders("<ph1> sale", "<ph1> goes up", random.Random(1)) is None


@given(TEXT, TEXT, st.integers(0, 10_000))
def test_any_text_survives_with_its_placeholders_in_step(source, target, seed):
    config = only(placeholder=1.0, typo=1.0, lower_case=0.5, caps=0.5, accents_dropped=0.5)
    ours, theirs = disturb(source, target, random.Random(seed), 1.0, config)
    assert bool(ours) == bool(source)
    assert bool(theirs) == bool(target)
    if not any(mark in source + target for mark in PLACEHOLDERS):
        assert sorted(re.findall(r"<ph\d>", ours)) == sorted(re.findall(r"<ph\d>", theirs))


@pytest.mark.parametrize("wrong", [{"typo": 1.5}, {"caps": 0.6, "lower_case": 0.6}, {"typos": 0.1}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError):
        NoiseConfig.from_dict(wrong)
