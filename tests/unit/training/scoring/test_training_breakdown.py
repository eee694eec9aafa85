"""Groups of a test set: by length, by nearness to training; and all references of a sentence."""

from training.scoring.breakdown import FAR, NEAR, SEEN, all_references, by_length, by_nearness


def words(count):
    return " ".join(["parola"] * count)


def test_each_length_has_its_group_and_empty_groups_are_left_out():
    groups = by_length([words(count) for count in (1, 4, 5, 8, 14, 26, 900, 0)])
    assert groups == {"1–4 words": [0, 1, 7], "5–8 words": [2, 3], "9–14 words": [4], "26 words or more": [5, 6]}


TRAINING = ["Vado a casa adesso.", "Il gatto dorme.", "Ciao!", "Il cane mangia molto pane."]


def nearest(source, training=TRAINING):
    (group,) = by_nearness([source], training)
    return group


def test_near_is_one_word_in_its_place_and_nothing_else():
    assert nearest("Vado a scuola adesso.") == NEAR
    assert nearest("Torno a casa adesso.") == NEAR, "the first word"
    assert nearest("Il gatto mangia!") == NEAR, "the last word, and another punctuation"
    assert nearest("vado a CASA domani") == NEAR
    assert nearest("Torno a scuola adesso.") == FAR, "two words"
    assert nearest("Vado adesso a casa.") == FAR, "another order"
    assert nearest("Vado a casa.") == FAR, "a word less"
    assert nearest("Vado subito a casa adesso.") == FAR, "a word more"
    assert nearest("Buongiorno!") == FAR, "one word is near to nothing"


def test_a_sentence_of_the_training_tables_is_told_apart():
    assert nearest("vado a casa, adesso!") == SEEN
    assert nearest("Il gatto dorme.", [*TRAINING, "Il gatto mangia."]) == SEEN, "though it is near to another"


def test_groups_of_nearness_hold_indexes_in_order():
    sources = ["Il gatto corre.", "Boh, chissà dove.", "Il gatto dorme.", "Il topo dorme."]
    assert by_nearness(sources, iter(TRAINING)) == {SEEN: [2], NEAR: [0, 3], FAR: [1]}


def test_all_references_of_a_source_are_found_once_each_its_own_first():
    pairs = [("I am tired.", "Sono stanca."), ("Good night.", "Buona notte.")]
    others = [
        ("i am tired", "Sono stanco."),
        ("I am tired!", "Sono stanca."),
        ("I am late.", "Sono in ritardo."),
        *pairs,
    ]
    assert all_references(pairs, iter(others)) == [["Sono stanca.", "Sono stanco."], ["Buona notte."]]
