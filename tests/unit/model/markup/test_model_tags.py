"""Tags go with the words that they stand at, each comes back once, whatever becomes of the words."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.markup.tags import SIGN, untagged
from model.translation import Translation, Word

OPEN, CLOSE, OPEN_2, CLOSE_2, ALONE = (chr(0xF0000 + number) for number in (0, 1, 2, 3, 4))
NAMES = {"<b>": OPEN, "</b>": CLOSE, "<i>": OPEN_2, "</i>": CLOSE_2, "<img>": ALONE}


def signed(text: str) -> str:
    for name, sign in NAMES.items():
        text = text.replace(name, sign)
    return text


def named(text: str) -> str:
    for name, sign in NAMES.items():
        text = text.replace(sign, name)
    return text


def translated(source: str, words: list[tuple[str, tuple[int, ...]]]) -> str:
    tagged = untagged(signed(source))
    assert tagged is not None
    translation = Translation(" ".join(word for word, _ in words), -0.5, tuple(Word(one, 0.5, at) for one, at in words))
    found = tagged.put_on(translation)
    assert [word.text for word in found.words] == found.text.split()
    return named(found.text)


@pytest.mark.parametrize(
    ("source", "words", "wanted"),
    [
        ("È <b>chiuso</b> oggi.", [("It", (0,)), ("is", (0,)), ("closed", (1,)), ("today.", (2,))],
         "It is <b>closed</b> today."),
        ("Una <b>casa</b> rossa.", [("A", (0,)), ("red", (2,)), ("house.", (1,))], "A red <b>house</b>."),
        ("La <b>casa rossa</b> è qui.", [("The", (0,)), ("red", (2,)), ("house", (1,)), ("is", (3,)), ("here.", (4,))],
         "The <b>red house</b> is here."),
        ("<b>Attenti <i>al cane</i></b>", [("Beware", (0,)), ("of", (1,)), ("the", (1,)), ("dog", (2,))],
         "<b>Beware <i>of the dog</i></b>"),
        ("Vedi <img> qui", [("Look", (0,)), ("here", (1,))], "Look <img>here"),
        ("Leggi <b>(qui)</b>.", [("Read", (0,)), ("(here).", (1,))], "Read <b>(here)</b>."),
        ("<b>Ciao</b> <i>mondo</i>", [("World,", (1,)), ("hello", (0,))], "<i>World</i>, <b>hello</b>"),
        ("<b>Ciao</b> <i>mondo</i>", [("Hello", (0, 1)), ("now", ())], "<b>Hello</b> <i>now</i>"),
        ("<b>uno</b> <i>due</i> tre", [("a", (0,)), ("b", (1,)), ("a", (0,)), ("c", (2,))],
         "<b>a</b> <i>b</i> a c"),
        ("Costa <b>20 €</b>.", [("It", (0,)), ("costs", (0,)), ("€20.", (1, 2))], "It costs <b>€20</b>."),
        ("Ha <b>perso</b> tutto", [("Everything", (2,)), ("is", ()), ("gone", ())], "<b>Everything</b> is gone"),
    ],
)  # fmt: skip
def test_tags_stand_at_the_words_that_render_theirs(source, words, wanted):
    assert translated(source, words) == wanted


def test_a_sentence_without_signs_is_left_alone() -> None:
    assert untagged("È chiuso <oggi>.") is None


@given(
    st.lists(st.sampled_from(["casa", "(qui)", "fine.", *NAMES.values(), " ", " "]), max_size=20).map("".join),
    st.lists(st.tuples(st.sampled_from(["one", "two.", "..."]), st.integers(0, 9)), max_size=6),
)
def test_each_sign_comes_back_once(source: str, said: list[tuple[str, int]]) -> None:
    tagged = untagged(source)
    if tagged is None:
        return
    count = len(tagged.text.split())
    words = tuple(Word(text, 0.5, (at,) if at < count else ()) for text, at in said)
    translation = Translation(" ".join(text for text, _ in said), -0.5, words)
    distinct = [
        mark for number, mark in enumerate(tagged.marks) if mark.sign not in [m.sign for m in tagged.marks[:number]]
    ]
    if len(distinct) == len(tagged.marks):  # a document has each sign once
        found = tagged.put_on(translation)
        assert sorted(SIGN.findall(found.text)) == sorted(SIGN.findall(source))
        assert SIGN.sub("", found.text).split() == translation.text.split()


@example(["<b>uno</b>", "<b>|</b>", "<b>uno</b>", "<b>|</b>", "<b>uno</b>"], [(0,), (1,), (2,), (3,)])
@given(
    st.lists(st.sampled_from(["<b>uno</b>", "<b>«uno <i>due»</i>,</b>", "<i>|</i>", "tre."]), min_size=1, max_size=8),
    st.lists(st.lists(st.integers(0, 9), max_size=3).map(tuple), min_size=1, max_size=10),
)
def test_tags_never_cross(atoms: list[str], aligned: list[tuple[int, ...]]) -> None:
    text = " ".join(atoms)
    names = re.findall(r"<[^>]+>", text)
    signs = dict[int, str]()
    open_ = list[int]()
    numbers = iter(range(0, 2 * len(names), 2))
    for row, name in enumerate(names):
        if name.startswith("</"):
            signs[row] = chr(0xF0001 + open_.pop())
        else:
            open_.append(next(numbers))
            signs[row] = chr(0xF0000 + open_[-1])
    rows = iter(range(len(names)))
    tagged = untagged(re.sub(r"<[^>]+>", lambda _: signs[next(rows)], text))
    if tagged is None:
        return
    count = len(tagged.text.split())
    words = tuple(Word(f"«w{at}.»", 0.5, tuple(one for one in to if one < count)) for at, to in enumerate(aligned))
    stack = list[int]()
    for sign in SIGN.findall(tagged.put_on(Translation(" ".join(w.text for w in words), -0.5, words)).text):
        number = ord(sign) - 0xF0000
        if number % 2:
            assert stack.pop() == number - 1
        else:
            stack.append(number)
    assert not stack


def test_alternatives_have_the_tags_too() -> None:
    tagged = untagged(signed("È <b>chiuso</b>"))
    assert tagged is not None
    other = Translation("It's shut", -0.6, (Word("It's", 0.5, (0,)), Word("shut", 0.5, (1,))))
    first = Translation("It's closed", -0.5, (Word("It's", 0.5, (0,)), Word("closed", 0.5, (1,))), (other,))
    found = tagged.put_on(first)
    assert [named(one.text) for one in (found, *found.alternatives)] == ["It's <b>closed</b>", "It's <b>shut</b>"]
