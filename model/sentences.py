"""All sentences of a call on their way to the network and back: what it does not see, and in which form it reads them.

sentences -> GuardedSentences (.text.kept.guard) -> FormedSentences (.text.forms) -> (network) -> the way back
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from model.markup.inline import with_signs, without_signs
from model.markup.tags import Tagged, untagged
from model.text.forms import Form, plain_form
from model.text.kept.amounts import with_numbers_in_other_language
from model.text.kept.exonyms import with_exonyms
from model.text.kept.guard import Guarded, Piece, guard, restore
from model.text.lines import wrapped_as
from model.text.marks import IsWord, with_marks_of
from model.text.series import Listed, Repeated, series
from model.text.tokenizer import PLACEHOLDERS
from model.translation import Translation, with_each

ESCAPED = re.compile(r"\\(['\"])")


@dataclass(frozen=True)
class GuardedSentences:
    """Sentences on their way through the network."""

    sentences: Sequence[str]
    """Without the signs of tags."""
    escapes: Sequence[str]
    """The quotes that each sentence has with a backslash before them, as files of strings have them."""
    tags: Sequence[Sequence[str]]
    """Of each sentence that is plain text the tags for which it got signs."""
    tagged: Sequence[Tagged | None]
    guards: Sequence[Guarded | None]
    """None: the sentence is plain."""
    texts: Sequence[str]
    """What the network gets: plain sentences, and the pieces of the others."""
    prefixes: Sequence[str]
    """What the translation of each of `texts` must begin with."""

    @classmethod
    def of(cls, sentences: Sequence[str], prefixes: Sequence[str], source: str) -> GuardedSentences:
        """Guard `sentences`, in the language `source`, the translations of which begin with `prefixes`."""
        guards: list[Guarded | None] = []
        texts: list[str] = []
        begun: list[str] = []
        escapes = ["".join(set(ESCAPED.findall(sentence))) for sentence in sentences]
        sentences = [ESCAPED.sub(r"\1", sentence) for sentence in sentences]
        signed = [
            None if prefix else with_signs(sentence) for sentence, prefix in zip(sentences, prefixes, strict=True)
        ]
        sentences = [text if one is None else one[0] for text, one in zip(sentences, signed, strict=True)]
        tagged = [untagged(sentence) for sentence in sentences]
        plain = [sentence if tags is None else tags.text for sentence, tags in zip(sentences, tagged, strict=True)]
        for sentence, prefix in zip(plain, prefixes, strict=True):
            guarded = guard(sentence, source, edges=not prefix)
            guards.append(guarded)
            if guarded is None:
                texts.append(sentence)
                begun.append(prefix)
            else:
                texts += [piece.text for piece in guarded.pieces]
                begun += [_as_written(prefix, piece) if row == 0 else "" for row, piece in enumerate(guarded.pieces)]
        tags = [() if one is None else one[1] for one in signed]
        return cls(plain, escapes, tags, tagged, guards, texts, begun)

    def restored(self, translations: Iterable[Translation]) -> list[Translation]:
        """The translations of the sentences from those of `texts`, over as many lines as they."""
        found = iter(translations)
        whole = (
            next(found) if guarded is None else restore(guarded, [next(found) for _ in guarded.pieces])
            for guarded in self.guards
        )
        wrapped = (_wrapped(text, one) for text, one in zip(self.sentences, whole, strict=True))
        decorated = (
            one if tagged is None else tagged.put_on(one) for one, tagged in zip(wrapped, self.tagged, strict=True)
        )
        named = (without_signs(one, tags) if tags else one for one, tags in zip(decorated, self.tags, strict=True))
        return [_escaped(one, quotes) if quotes else one for one, quotes in zip(named, self.escapes, strict=True)]


def _escaped(translation: Translation, quotes: str) -> Translation:
    """`translation` with a backslash before each of `quotes`."""
    return with_each(translation, lambda text: "".join(f"\\{char}" if char in quotes else char for char in text))


def _wrapped(sentence: str, translation: Translation) -> Translation:
    """`translation` over as many lines as `sentence`."""
    if len(sentence.splitlines()) < 2:
        return translation
    text = wrapped_as(sentence, translation.text)
    return replace(
        translation, text=text, alternatives=tuple(_wrapped(sentence, other) for other in translation.alternatives)
    )


def _as_written(prefix: str, piece: Piece) -> str:
    """`prefix` as the network would write it in a translation of `piece`."""
    for number, span in enumerate(piece.spans):
        prefix = prefix.replace(span, PLACEHOLDERS[number], 1)
    return prefix


@dataclass(frozen=True)
class FormedSentences:
    """Guarded sentences, in the forms in which the network reads them."""

    sentences: Sequence[str]
    forms: Sequence[Form | Repeated | Listed | None]
    """None: only as it is."""
    source: str
    """Their language."""
    is_word: IsWord
    """Whether the vocabulary of the target language has a word."""
    texts: Sequence[str]
    """What the network gets: of each sentence the text as it is, or what its form reads."""
    prefixes: Sequence[str]
    """What the translation of each of `texts` must begin with."""
    begun: Sequence[str]
    """And that of each of `sentences`."""

    @classmethod
    def of(cls, sentences: Sequence[str], prefixes: Sequence[str], source: str, is_word: IsWord) -> FormedSentences:
        """The forms of `sentences`; where a translation is begun, only one is read."""
        forms: list[Form | Repeated | Listed | None] = []
        texts: list[str] = []
        begun: list[str] = []
        for sentence, prefix in zip(sentences, prefixes, strict=True):
            form = plain_form(sentence) or (None if prefix else series(sentence, is_word))
            form = None if isinstance(form, Form) and prefix and not form.sure else form
            reads = [sentence] if form is None else form.reads(sentence)
            forms.append(form)
            texts += reads
            begun += [prefix] * len(reads)
        return cls(sentences, forms, source, is_word, texts, begun, prefixes)

    def chosen(self, translations: Iterable[Translation]) -> list[Translation]:
        """The translation of each sentence from those of `texts`, with its marks."""
        found = iter(translations)
        return [
            self._finished(text, form, prefix, found)
            for text, form, prefix in zip(self.sentences, self.forms, self.begun, strict=True)
        ]

    def _finished(
        self, text: str, form: Form | Repeated | Listed | None, prefix: str, found: Iterator[Translation]
    ) -> Translation:
        chosen = next(found) if form is None else form.chosen([next(found) for _ in form.reads(text)])
        named = with_exonyms(text, self.source, with_numbers_in_other_language(text, self.source, chosen))
        finished = with_marks_of(text, named, self.is_word)
        return finished if finished.text.startswith(prefix.strip()) else chosen
