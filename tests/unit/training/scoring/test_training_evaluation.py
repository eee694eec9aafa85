"""What `traghetto evaluate` takes, what it reports of it, and what it writes into the card."""

import io
import json
import re
import shutil
from dataclasses import dataclass

import pytest
import toy_corpus
from rich.console import Console
from rich.progress import Progress

from model.config import SearchConfig
from model.errors import ConfigError, VersionNotFound
from model.translation import Translation
from model.versions import store
from training.data.noise import COPIES
from training.scoring.evaluation import Request, run
from training.scoring.set_report import Parts, Subject, report_set
from training.scoring.sets import CHALLENGE, WORDS, Corpus, find_sets, read_general, read_parallel
from training.scoring.tables import remarks, tables, title

PAIRS = toy_corpus.pairs()
ROWS = [f"{italian}\t{english}" for italian, english in PAIRS]


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    """Intervals are tested elsewhere."""
    monkeypatch.setattr("training.scoring.bootstrap.RESAMPLES", 20)


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """The project's own sets, tiny."""
    folder = tmp_path / "sets"
    for pair in ("it-en", "en-it"):
        (folder / pair).mkdir(parents=True)
        general = ["Buono.\tGood.", "Male.\tBad."] if pair == "it-en" else ["Good.\tBuono."]
        (folder / pair / "general.tsv").write_text("\n".join(["# source\treference", *general]) + "\n")
        challenge = [
            "names\tCarla dorme.\tCarla sleeps.\t.\t",
            "times\tAlle 3.\tAt 3.\t\t",
            "times\tAlle 4.\tAt 4.\t\t",
        ]
        (folder / pair / "challenge.tsv").write_text("\n".join(["# phenomenon", *challenge]) + "\n")
        (folder / pair / "words.tsv").write_text("# word\tanswers\nBuono\tGood | Fine\n")
        (folder / pair / "texts.tsv").write_text("# kind\tsource\tkept\tanswers\nmention\tCiao @anna!\t@anna\t\n")
    (folder / "it-en" / "aligned.tsv").write_text("# Italian\nil gatto dorme\tthe cat sleeps\t0-0 1-1 2-2\n")
    monkeypatch.setattr("training.scoring.sets.SETS", folder)
    return folder


@pytest.fixture
def corpus(tmp_path):
    """A corpus folder: 5 test and 3 dev sentences, the others for training; one English has another Italian."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "tatoeba.test.tsv").write_text("\n".join(ROWS[:5]) + "\n")
    (folder / "tatoeba.dev.tsv").write_text("\n".join([*ROWS[5:7], f"Altro.\t{PAIRS[0][1]}"]) + "\n")
    (folder / "tatoeba.train.tsv").write_text("\n".join(ROWS[7:]) + "\n")
    (folder / "games.tsv").write_text("Ciao.\tHello.\n")
    return folder


@pytest.fixture
def models(tiny_data_dir, tmp_path, monkeypatch):
    """Versions `default` and `second` of it-en and `default` of en-it, which may be changed."""
    folder = tmp_path / "models"
    shutil.copytree(tiny_data_dir / "models", folder)
    version = store.load(folder / "it-en" / "default")
    store.save(folder, "en-it", "default", version.model, (version.source, version.target), {})
    monkeypatch.setenv("TRAGHETTO_DATA_DIR", str(tmp_path))
    return folder


# --- what is evaluated -----------------------------------------------------------------------------------------------


def test_what_is_usual_and_there_is_taken(sets, corpus):
    names = {"tatoeba.test", "general", "challenge", "words", "texts"}
    found, missing = find_sets("it-en", Corpus(corpus, "it-en"), ())
    assert (set(found), missing) == (names, [])
    found, missing = find_sets("it-en", None, (), with_aligned=True)
    assert set(found) == {"general", "challenge", "words", "texts", "aligned"}
    assert missing == ["left out: no set tatoeba.test"]


def test_a_named_set_that_is_not_there_is_an_error_that_says_what_is(sets, corpus):
    with pytest.raises(ConfigError, match=r"no set tatoeba.dev for it-en; there are: general.*--data"):
        find_sets("it-en", None, ["tatoeba.dev"])
    with pytest.raises(ConfigError, match=r"no set games for it-en; there are: tatoeba.dev, tatoeba.test, general"):
        find_sets("it-en", Corpus(corpus, "it-en"), ["general", "games"])


def test_without_any_set_there_is_nothing_to_evaluate(sets):
    with pytest.raises(ConfigError, match=r"no set .* for de-en; there are: none at all"):
        find_sets("de-en", None, ())


def test_pairs_aligned_by_hand_serve_both_directions(sets):
    (path,) = find_sets("en-it", None, ["aligned"])[0].values()
    assert path == sets / "it-en" / "aligned.tsv"


@pytest.mark.parametrize(
    ("row", "problem"), [("Buono.", "line 2: 1 columns in place of 2"), ("Buono.\t", "line 2: one side is empty")]
)
def test_a_broken_row_of_the_general_set_is_named(row, problem, tmp_path):
    path = tmp_path / "general.tsv"
    path.write_text(f"# a\tb\n{row}\n")
    with pytest.raises(ConfigError, match=re.escape(f"{path}, {problem}")):
        read_general(path)


def test_files_are_read_line_by_line_and_must_fit_together(tmp_path):
    source, reference = tmp_path / "a", tmp_path / "b"
    source.write_bytes("\ufeffUno\u2028due.\r\nTre.\n".encode())
    reference.write_text("One\rtwo.\n\n", newline="")
    assert read_parallel(source, reference) == [("Uno\u2028due.", "One\rtwo."), ("Tre.", "")]
    reference.write_text("One.\n")
    with pytest.raises(ConfigError, match=r"a has 2 lines, .*b has 1"):
        read_parallel(source, reference)
    source.write_bytes(b"")
    reference.write_bytes(b"")
    with pytest.raises(ConfigError, match="holds no lines"):
        read_parallel(source, reference)
    source.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="cannot read"):
        read_parallel(source, reference)


# --- what is reported ------------------------------------------------------------------------------------------------


def test_everything_in_one_report_which_fits_into_100_columns(sets, corpus, models):
    request = Request("it-en", against="second", corpus=corpus, breakdown=True, noise=True, with_aligned=True)
    report = run(request)
    found = json.loads(json.dumps(report.to_dict()))
    assert (found["pair"], found["version"], found["against"]) == ("it-en", "default", "second")
    test = found["sets"]["tatoeba.test"]
    assert (test["sentences"], found["sets"]["general"]["sentences"]) == (5, 2)
    assert test["bleu_interval"][0] <= test["bleu"] <= test["bleu_interval"][1]
    assert test["against"]["bleu"]["p"] == 1, "the tiny versions are the same"
    assert set(test["noise"]) == set(COPIES)
    assert sum(test["groups"][name]["sentences"] for name in test["groups"] if name.endswith("words")) == 5
    assert found["challenge"]["items"] == found["challenge_against"]["items"] == 3
    assert found["words"]["items"] == found["words_against"]["items"] == 4
    assert found["alignment"]["sentences"] == 1
    text = shown(report)
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text, "a cell was cut"
    for words in (
        "tatoeba.test in groups",
        "apostrophes for accents",
        "better by",
        "error rate",
        "times",
        "in capitals",
        "nrefs:1",
    ):
        assert words in text


def shown(report):
    console = Console(width=100, file=io.StringIO())
    console.print(title(report), *tables(report), *remarks(report), sep="\n")
    return console.file.getvalue()


def test_nearness_and_further_references_come_from_the_tables_of_the_same_name(sets, corpus, models):
    report = run(Request("en-it", corpus=corpus, sets=("tatoeba.test", "general"), breakdown=True))
    test, general = report.sets["tatoeba.test"], report.sets["general"]
    assert test.groups["one word from training"].sentences > 0
    assert test.multi_reference.references == 6
    assert "nrefs:var" in test.multi_reference.bleu_signature
    assert set(general.groups) == {"1–4 words"}
    assert general.multi_reference is None


def test_what_the_corpus_has_not_is_noted(sets, corpus, models):
    (corpus / "tatoeba.train.tsv").unlink()
    report = run(Request("it-en", corpus=corpus, sets=("tatoeba.test",), breakdown=True))
    assert [note.partition(":")[2].split(",")[0] for note in report.notes] == [
        " no training tables",
        " the corpus has no second reference of any sentence",
    ]


def test_a_limit_holds_for_every_set(sets, corpus, models):
    report = run(Request("it-en", corpus=corpus, limit=1))
    assert {name: one.scores.sentences for name, one in report.sets.items()} == {"tatoeba.test": 1, "general": 1}
    assert report.passes[CHALLENGE].ours.total[1] == 1
    assert report.passes[WORDS].ours.total[1] == 4, "one word in four forms"


def test_a_model_without_attention_has_no_alignment_error(sets, tiny_data_dir, monkeypatch, tmp_path):
    from model.config import ModelConfig
    from model.network.seq2seq import Seq2Seq

    version = store.load(tiny_data_dir / "models" / "it-en" / "default")
    sizes = {"embedding_size": 8, "encoder_hidden_size": 8, "decoder_hidden_size": 8, "attention_heads": 0}
    model = Seq2Seq(ModelConfig(version.source.vocab_size, version.target.vocab_size, **sizes)).eval()
    store.save(tmp_path / "models", "it-en", "old", model, (version.source, version.target), {})
    monkeypatch.setenv("TRAGHETTO_DATA_DIR", str(tmp_path))
    report = run(Request("it-en", "old", sets=("aligned",)))
    assert report.alignment is None
    assert report.notes == ["old has no attention, so that no alignment error can be given"]


def test_a_broken_set_is_found_before_anything_is_translated(sets, models, monkeypatch):
    (sets / "it-en" / "challenge.tsv").write_text("# phenomenon\nbroken\n")
    monkeypatch.setattr("training.scoring.evaluation.Translator.load", lambda *_: pytest.fail("a model was loaded"))
    with pytest.raises(ConfigError, match=r"challenge.tsv, line 2"):
        run(Request("it-en"))


def test_a_version_that_is_not_there_is_named(sets, models):
    with pytest.raises(VersionNotFound, match="no version third of it-en"):
        run(Request("it-en", against="third", sets=("general",)))


@dataclass
class Echo:
    """Gives back what it is given."""

    pair: str = "it-en"
    version: str = "echo"

    def translate(self, texts, search, prefixes=None):
        return [Translation(text, 0.0) for text in texts]


def test_copies_are_disturbed_and_only_capitals_are_scored_without_case():
    texts = ["Perché l'amico di Carla è già partito per Genova?", "Nessuno sa dove sia andato il capitano ieri sera."]
    subject = Subject(Echo(), SearchConfig(), Progress(disable=True))
    report = report_set("own", [(text, text) for text in texts], subject, None, Parts(noise=True))
    assert report.scores.bleu == pytest.approx(100)
    assert report.noise["capitals"].bleu == pytest.approx(100)
    assert all(report.noise[name].bleu < 99 for name in COPIES if name != "capitals")
    assert report.groups is None
    assert report.against is None


def test_a_long_set_is_translated_in_pieces_and_in_order(monkeypatch):
    monkeypatch.setattr("training.scoring.set_report.CHUNK", 3)
    subject = Subject(Echo(), SearchConfig(), Progress(disable=True))
    assert subject.texts([str(number) for number in range(8)], "numbers") == [str(number) for number in range(8)]


# --- where it goes ---------------------------------------------------------------------------------------------------


def test_scores_are_saved_under_the_names_of_their_sets(sets, models):
    run(Request("it-en", "second", against="default", save=True))
    scores = store.verify(models / "it-en" / "second").scores
    assert scores["test"]["bleu"] == 25.0, "what was there stays"
    assert scores["general"]["sentences"] == 2
    assert scores["general"]["beam"] == 1
    assert "against" not in scores["general"]
    assert scores["challenge"].keys() == {"passed", "items", "phenomena"}


def test_a_wider_beam_is_saved_beside(sets, models):
    run(Request("it-en", beam=2, sets=("general",), save=True))
    assert "general, beam 2" in store.verify(models / "it-en" / "default").scores


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"save": True, "limit": 5}, "not saved"), ({"files": ("a", "b"), "sets": ("general",)}, "not both")],
)
def test_what_makes_no_sense_is_refused(options, problem):
    with pytest.raises(ConfigError, match=problem):
        Request("it-en", **options)
