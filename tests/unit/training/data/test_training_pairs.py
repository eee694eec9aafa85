"""Reading, cleaning, duplicates, and the split: what a training run may see."""

import gzip
import random
import re
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import ConfigError
from training.data.pairs import (
    CleanConfig,
    Counts,
    clean,
    deduplicate,
    held_out_keys,
    hold_out,
    is_held_out,
    looks_like,
    normalise_key,
    only_2018,
    read_pairs,
    tidy,
    without_held_out,
)

PAIRS = [("La barca è in ritardo.", "The boat is late."), ("Dove sono i remi?", "Where are the oars?")]
ATTRIBUTION = "CC-BY 2.0 (France) Attribution: tatoeba.org #1 (somebody) & #2 (somebody)"


def as_corpus(pairs=PAIRS):
    return "".join(f"{italian}\t{english}\n" for italian, english in pairs)


def as_anki(pairs=PAIRS):
    return "".join(f"{english}\t{italian}\t{ATTRIBUTION}\n" for italian, english in pairs)


def write(path, text):
    content = text if isinstance(text, bytes) else text.encode()
    if path.suffix == ".gz":
        content = gzip.compress(content)
    path.write_bytes(content)
    return path


def write_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "a.tsv.gz", "a.txt.gz"])
@pytest.mark.parametrize("form", [as_corpus, as_anki])
def test_both_forms_of_table_are_told_apart_and_read_plain_and_packed(tmp_path, name, form):
    assert list(read_pairs(write(tmp_path / name, form()))) == PAIRS


def test_the_anki_archive_is_read_and_its_about_page_is_not(tmp_path):
    path = write_zip(tmp_path / "ita-eng.zip", {"_about.txt": "About these files", "ita.txt": as_anki()})
    assert list(read_pairs(path)) == PAIRS
    assert list(read_pairs(path, "anki")) == PAIRS


def test_a_moses_archive_is_read_line_beside_line(tmp_path):
    members = {
        "README": "about", "C.en-it.en": "The boat is late.\n\nWhere are the oars?\n",
        "C.en-it.it": "La barca è in ritardo.\n\nDove sono i remi?\n",
    }  # fmt: skip
    assert list(read_pairs(write_zip(tmp_path / "en-it.txt.zip", members))) == PAIRS


def test_moses_files_of_different_length_are_refused(tmp_path):
    path = write_zip(tmp_path / "en-it.txt.zip", {"C.en-it.en": "One.\nTwo.\n", "C.en-it.it": "Uno.\n"})
    with pytest.raises(ConfigError, match=r"line 2: .* differ in length"):
        list(read_pairs(path))


def test_a_table_is_no_moses_archive(tmp_path):
    with pytest.raises(ConfigError, match="not a Moses archive"):
        list(read_pairs(write(tmp_path / "a.tsv", as_corpus()), "moses"))


def test_windows_line_ends_a_byte_order_mark_and_blank_lines_do_no_harm(tmp_path):
    text = "\ufeff" + as_corpus().replace("\n", "\r\n\r\n")
    assert list(read_pairs(write(tmp_path / "a.tsv", text))) == PAIRS


def test_english_first_without_attributions_is_refused_rather_than_trained_on_backwards(tmp_path):
    path = write(tmp_path / "a.tsv", "".join(f"{english}\t{italian}\n" for italian, english in PAIRS * 5))
    with pytest.raises(ConfigError, match="looks like English TAB Italian"):
        list(read_pairs(path))
    assert list(read_pairs(path, "anki"))[:2] == PAIRS, "said in so many words, the layout is believed"


BROKEN = {
    "one column": ("Una riga sola\n", "line 2: not two sentences"),
    "binary": ("a\0b\tc\n", "line 2: binary data"),
    "latin-1": ("perch\xe9\twhy\n".encode("latin-1"), "line 2: not UTF-8"),
}


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz"])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_line_is_named_with_file_and_number(tmp_path, name, kind):
    line, message = BROKEN[kind]
    first = as_corpus(PAIRS[:1]).encode()
    path = write(tmp_path / name, first + (line if isinstance(line, bytes) else line.encode()))
    with pytest.raises(ConfigError, match=f"{re.escape(str(path))}, {message}"):
        list(read_pairs(path))


def test_damaged_files_are_named(tmp_path):
    packed = gzip.compress(as_corpus(PAIRS * 200).encode())
    broken = {
        "cut.tsv.gz": packed[:-20], "flipped.tsv.gz": packed[:40] + b"\xff" * 20 + packed[60:],
        "no.tsv.gz": b"<html>", "no.zip": b"<html>",
    }  # fmt: skip
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=f"cannot read .*{name}"):
            list(read_pairs(tmp_path / name))
    with pytest.raises(ConfigError, match=r"cannot read .*absent"):
        list(read_pairs(tmp_path / "absent.tsv"))
    with pytest.raises(ConfigError, match=r"should hold one table, but holds 2: a\.txt, b\.txt"):
        list(read_pairs(write_zip(tmp_path / "two.zip", {"a.txt": "", "b.txt": ""})))


def test_tidy_keeps_the_words_and_drops_what_is_not_seen():
    assert tidy("  Perche\u0301\u00a0\u200b no\u00ad?\x07\ufeff\t\u2028Ora ") == "Perché no? Ora"
    assert tidy("l&#8217;ora &egrave; tarda &amp; buia; AT&T") == "l’ora è tarda & buia; AT&T"
    family = "👩\u200d👧"
    assert tidy(family) == family, "a joined emoji must not fall apart"


@given(st.text())
def test_tidy_leaves_nothing_that_breaks_a_table(text):
    done = tidy(text)
    assert not set(done) & set("\t\n\r\v\f\0\x1c\x85\u2028")
    assert done == done.strip()
    assert "&" in text or tidy(done) == done


LONG = "la barca del capitano resta in porto per la notte"
CASES = {
    "empty": [("", "The boat."), ("...", "Wait."), ("12", "12")],
    "too long": [("a" * 601, "a" * 300), ("parola " * 101, "word " * 90)],
    "ratio": [(LONG, "The boat"), ("Sì", "Of course I will come with you tomorrow")],
    "identical": [("Error in line two", "error in line two")],
    "wrong language": [(PAIRS[1][1], PAIRS[1][0]), ("This is the end of it", "Questa è la fine")],
    "": [*PAIRS, ("Sì", "Yes"), ("Barack Hussein Obama", "Barack Hussein Obama"), ("Tom", "Tom"),
         ("È il 3 maggio.", "It is the third of May."), ("Vieni!", "Come!")],
}  # fmt: skip


@pytest.mark.parametrize(("step", "pair"), [(step, pair) for step, pairs in CASES.items() for pair in pairs])
def test_each_step_takes_its_own(step, pair):
    counts = Counts()
    kept = list(clean([pair], counts))
    assert counts.read == 1
    assert (len(kept), [name for name, count in counts.dropped.items() if count]) == ((0, [step]) if step else (1, []))


def test_the_limits_are_settings():
    strict = CleanConfig(max_words=3, same_numbers=True, wrong_language=False)
    counts = Counts()
    pairs = [*PAIRS, ("Alle 3", "At three"), ("Alle 3", "At 3"), ("It is she", "Dove sei")]
    assert list(clean(pairs, counts, strict)) == [("Alle 3", "At 3"), ("It is she", "Dove sei")]
    assert counts.to_dict() == {"read": 5, "too long": 2, "numbers": 1, "kept": 0}
    with pytest.raises(ConfigError, match="max_ratio"):
        CleanConfig(max_ratio=0.5)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("it", "Dove sono i miei libri che ti ho dato?", True),
        ("en", "Where are the books that I gave you?", True),
        ("it", "Where are the books that I gave you?", False),
        ("en", "Dove sono i miei libri che ti ho dato?", False),
        ("en", "Il film «The Lord of the Rings» è stato girato in Nuova Zelanda con la stessa cura del libro", False),
        ("en", "Operatori OR e AND", False),
        ("it", "Ha ha ha!", False),
        ("it", "Roma", False),
    ],
)
def test_only_clear_evidence_speaks_for_a_language(language, text, expected):
    assert looks_like(language, text) is expected


def test_duplicates_are_seen_through_case_and_punctuation_and_across_files():
    seen, counts = set(), Counts()
    first = list(deduplicate([("Ciao!", "Hi!"), ("ciao", "Hi"), ("Ciao!", "Hello!")], seen, counts))
    second = list(deduplicate([("«Ciao»", "hi…"), ("Ciao Ciao", "Bye")], seen, counts))
    assert first == [("Ciao!", "Hi!"), ("Ciao!", "Hello!")]
    assert second == [("Ciao Ciao", "Bye")]
    assert counts.dropped["duplicate"] == 2


@given(st.text())
def test_a_key_is_its_own_key(text):
    key = normalise_key(text)
    assert normalise_key(key) == key


def test_keys_fold_spelling_but_not_words():
    assert normalise_key("L’ORA è tarda!") == normalise_key("l'ora  e\u0300 tarda")
    assert normalise_key("l'ora e tarda") != normalise_key("l'ora è tarda")
    assert normalise_key("?!") == "?!", "a sentence of marks alone must not share its key with all others"


SENTENCE = st.sampled_from([f"s{number}" for number in range(60)])
DATA = st.lists(st.tuples(SENTENCE, SENTENCE), max_size=80)


@given(DATA, st.integers(0, 300))
def test_no_sentence_is_on_both_sides_of_the_split(pairs, per_mille):
    train, held = hold_out(pairs, per_mille)
    for side in (0, 1):
        assert not {pair[side] for pair in train} & {pair[side] for pair in held}
    assert set(train) | set(held) <= set(pairs)


@given(DATA, DATA, st.integers(0, 300), st.randoms())
def test_what_is_held_out_depends_on_the_sentence_alone(pairs, more, per_mille, rng):
    _, before = hold_out(pairs, per_mille)
    grown = pairs + more
    rng.shuffle(grown)
    train, after = hold_out(grown, per_mille)
    assert set(before) <= set(after), "held-out pairs were given back to training when data was added"
    hashed = {sentence for pair in pairs for sentence in pair if is_held_out(normalise_key(sentence), per_mille)}
    assert not hashed & {sentence for pair in train for sentence in pair}


def test_the_hash_is_the_same_in_every_process_and_takes_its_share():
    keys = ("ciao", "barca", "dove sono i remi", "è tardi")
    assert [is_held_out(key, 500) for key in keys] == [True, False, False, False], "data split earlier would leak"
    chosen = [number for number in range(20_000) if is_held_out(f"sentence {number}", 50)]
    assert 800 < len(chosen) < 1200
    assert all(is_held_out(f"sentence {number}", 100) for number in chosen), "a larger share must hold the smaller"
    half = [number for number in chosen if is_held_out(f"sentence {number}", 25)]
    assert 0.4 < len(half) / len(chosen) < 0.6


def test_fractions_of_a_thousandth_are_held_out_too():
    keys = [f"sentence {number}" for number in range(20_000)]
    half, whole = ([key for key in keys if is_held_out(key, per_mille)] for per_mille in (0.5, 1))
    assert set(half) < set(whole)
    assert 3 < len(half) < 20, len(half)


def test_pairs_that_share_a_side_with_a_dev_or_test_file_go():
    keys = held_out_keys([("La barca è in ritardo.", "The boat is late.")])
    pairs = [("la barca è in ritardo", "The ship is late."), ("Il battello tarda.", "The boat is LATE!"), PAIRS[1]]
    counts = Counts()
    assert list(without_held_out(pairs, keys, counts)) == [PAIRS[1]]
    assert counts.dropped["held out"] == 2


def test_the_2018_filter_keeps_short_sentences_of_six_beginnings():
    pairs = [
        ("Lei è bella.", "You are beautiful."), ("Io sono qui.", "I am here."), ("Io sono qui.", "I'm here."),
        ("Sono stanco.", "I am one two three four five six seven eight."), ("È lui.", "It is him."),
    ]  # fmt: skip
    counts = Counts()
    assert list(only_2018(pairs, counts)) == pairs[:2]
    assert counts.dropped["filter"] == 3


def test_a_file_of_many_lines_is_read_to_its_end(tmp_path):
    rng = random.Random(1)
    pairs = [(f"frase {rng.random()}", f"sentence {number}") for number in range(3000)]
    assert list(read_pairs(write(tmp_path / "a.tsv.gz", as_corpus(pairs)))) == pairs


@pytest.mark.corpus
def test_the_corpus_has_no_leak_and_loses_hardly_anything(corpus_dir):
    held = [*read_pairs(corpus_dir / "tatoeba.dev.tsv.gz"), *read_pairs(corpus_dir / "tatoeba.test.tsv.gz")]
    counts = Counts()
    usable = clean(read_pairs(corpus_dir / "tatoeba.train.tsv.gz"), counts)
    kept = sum(1 for _ in without_held_out(usable, held_out_keys(held), counts))
    assert counts.dropped["held out"] == 0, "training sentences that are also in dev or test"
    assert counts.dropped["wrong language"] == 0, "good sentences are taken for the wrong language"
    assert kept > 0.999 * counts.read
