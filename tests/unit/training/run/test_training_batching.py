"""Batches: within the budget, nothing lost, and the same again from a cursor."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from model.text.tokenizer import WordTokenizer
from training.config import Phase
from training.run.batching import Cursor, Encoded, Pools, cut_batches

WORDS = ["uno", "due", "tre", "quattro", "cinque", "sei"]
TOKENIZER = WordTokenizer.train([" ".join(WORDS)])


def pools(**changes) -> Pools:
    rng = random.Random(0)
    pairs = [(" ".join(rng.choices(WORDS, k=rng.randint(1, 6))), " ".join(rng.choices(WORDS, k=3))) for _ in range(50)]
    settings = {
        "groups": {"a": pairs[:40], "b": pairs[40:]}, "phases": (Phase(0.5, {"a": 3, "b": 1}), Phase(1.0, {"a": 1})),
        "tokenizers": (TOKENIZER, TOKENIZER), "disturb": lambda source, target, rng, strength: (source, target),
        "pool_pairs": 20, "max_tokens": 10, "seed": 3, **changes,
    }  # fmt: skip
    return Pools(**settings)


sizes = st.integers(min_value=0, max_value=40)


@given(st.lists(st.tuples(sizes, sizes), max_size=80), st.integers(min_value=16, max_value=200))
def test_batches_hold_every_pair_once_and_stay_within_the_budget(lengths, budget):
    pairs = [Encoded([9] * source, [9] * target) for source, target in lengths]
    batches = cut_batches(pairs, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(pairs)))
    for batch in batches:
        longest = max(max(len(pairs[index].source), len(pairs[index].target)) + 1 for index in batch)
        assert longest * len(batch) <= budget or len(batch) == 1


def test_a_pool_takes_its_share_of_each_group():
    assert pools().counts(pools().phases[0]) == {"a": 15, "b": 5}
    assert len(pools().draw(Cursor())) == 20


def test_every_pair_is_seen_once_a_pass():
    several = pools(phases=(Phase(1.0, {"b": 1}),), pool_pairs=5)
    cursor, seen = Cursor(), Counter()
    for _ in range(4):  # 4 x 5 draws from 10 pairs: two passes
        seen.update((tuple(pair.source), tuple(pair.target)) for pair in several.draw(cursor))
        cursor = several.advance(cursor, 0)
    expected = Counter((tuple(TOKENIZER.encode(a)), tuple(TOKENIZER.encode(b))) for a, b in several.groups["b"])
    assert seen == Counter({pair: 2 * count for pair, count in expected.items()})


def test_short_pairs_come_as_often_as_the_settings_say_and_a_cursor_finds_them_again():
    several = pools(
        phases=(Phase(1.0, {"b": 1}),), pool_pairs=7, repeats=lambda name, pair: 3 if len(pair[0].split()) < 3 else 1
    )
    often = Counter(pair for pair in several.groups["b"] for _ in range(3 if len(pair[0].split()) < 3 else 1))
    assert 10 < often.total() < 30
    drawn, cursor = [], Cursor()
    while len(drawn) < often.total():
        drawn += several.draw(cursor)
        cursor = several.advance(cursor, 0)
    seen = Counter((tuple(pair.source), tuple(pair.target)) for pair in drawn[: often.total()])
    assert seen == Counter({tuple(tuple(TOKENIZER.encode(side)) for side in pair): n for pair, n in often.items()})
    assert pools(phases=several.phases, pool_pairs=7, repeats=several.repeats).draw(cursor) == several.draw(cursor)


def test_pairs_are_augmented_before_they_are_disturbed_and_see_their_group():
    several = pools(
        phases=(Phase(1.0, {"b": 1}),),
        augment=lambda pair, group, rng: (group[0][0], "uno due"),
        disturb=lambda source, target, rng, strength: (source, target + " tre"),
    )
    expected = TOKENIZER.encode(several.groups["b"][0][0]), TOKENIZER.encode("uno due tre")
    assert several.draw(Cursor()) == [expected] * 20


def test_the_same_cursor_gives_the_same_batches_and_skips_used_ones():
    several = pools()
    cursor = several.advance(Cursor(), 0)
    pairs = several.draw(cursor)
    assert several.draw(cursor) == pairs
    whole = [batch.source.tolist() for batch in several.batches(cursor, pairs, 40)]
    cursor.batch = 2
    assert [batch.source.tolist() for batch in several.batches(cursor, pairs, 40)] == whole[2:]


def test_workers_share_every_batch():
    several = pools()
    pairs = several.draw(Cursor())
    alone = list(several.batches(Cursor(), pairs, 80))
    first, second = (list(several.batches(Cursor(), pairs, 40, (rank, 2))) for rank in range(2))
    assert len(first) == len(second) == len(alone)
    for whole, one, two in zip(alone, first, second, strict=True):
        assert one.target_tokens + two.target_tokens >= whole.target_tokens


def test_pairs_that_are_too_long_are_left_out():
    assert all(len(pair.source) <= 3 for pair in pools(max_tokens=3).draw(Cursor()))
