"""What the `/v1` routes read and write. Only shapes: `app.translating.limits` checks what the operator sets."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.languages import LANGUAGES, Language
from app.translating.limits import FIT, MAX_IGNORED_TAGS
from model.markup.formats import Format
from model.text.lines import Split

EXAMPLE_REQUEST: dict[str, Any] = {
    "text": "La ringrazio, ma sono già stato a Roma due volte.",
    "source": "it",
    "target": "en",
}
EXAMPLE_ANSWER: dict[str, Any] = {
    "translations": [
        {
            "text": "Thank you, but I have already been to Rome twice.",
            "source": "it",
            "target": "en",
            "model_version": "default",
            "from_memory": False,
            "score": -0.21,
            "truncated": False,
        }
    ]
}
EXAMPLE_PROBLEM: dict[str, Any] = {
    "type": "/problems/invalid-request",
    "title": "A field of the request is wrong",
    "status": 422,
    "detail": "text: has 10412 characters; at most 10000 are allowed",
    "errors": [{"field": "text", "message": "has 10412 characters; at most 10000 are allowed", "limit": 10000}],
}


FIT_TEXT = WithJsonSchema({"type": "string", "pattern": FIT})
"""Describes what a text may hold; `app.translating.limits` checks it."""
FIT_TEXTS = WithJsonSchema({"type": "array", "items": {"type": "string", "pattern": FIT}, "minItems": 1})
TWO_LANGUAGES: list[Any] = [
    {"not": {"properties": {"source": {"const": one}, "target": {"const": one}}, "required": ["source", "target"]}}
    for one in LANGUAGES
]
PREFIX_ALONE: Any = {
    "anyOf": [
        {"properties": {"prefix": {"type": "null"}}},
        {"properties": {"text": {"type": "string"}, "format": {"const": "text"}}},
    ]
}
"""A prefix goes with one plain text."""


class Strict(BaseModel):
    """A field that is not known is an error: a misspelt option must not be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TranslateBody(Strict):
    """Body of `POST /v1/translate`."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_extra={"examples": [EXAMPLE_REQUEST], "allOf": [*TWO_LANGUAGES, PREFIX_ALONE]},
    )

    text: Annotated[
        Annotated[str, FIT_TEXT] | Annotated[list[str], FIT_TEXTS],
        Field(
            description="One text, or a list of them. Each may hold several sentences and lines; "
            "line breaks and spaces between sentences are kept as they are."
        ),
    ]
    source: Annotated[Literal["it", "en", "auto"], Field(description="Language of the text; `auto` finds out.")]
    target: Annotated[Language, Field(description="Language of the translation.")]
    format: Annotated[
        Format,
        Field(
            description="Of markup (`html`, `xml`, `markdown`) only what people read is translated; tags, comments and "
            "code stay as they are, and entities are understood."
        ),
    ] = "text"
    split: Annotated[
        Split,
        Field(
            description="What ends a sentence besides its own end: `lines`, every line; `auto`, a line that does not "
            "go on in the next; `none`, nothing: the text is one sentence."
        ),
    ] = "auto"
    ignore_tags: Annotated[
        list[str],
        Field(
            max_length=MAX_IGNORED_TAGS,
            description="Tags of markup whose content is not translated.",
            default_factory=list,  # a default would be copied for each request, which takes longer than all the rest
            json_schema_extra={"default": []},
        ),
    ]
    alternatives: Annotated[int, Field(ge=0, description="How many other translations to add to the best one.")] = 0
    beam: Annotated[
        int | None,
        Field(ge=1, description="Width of the beam search; 1 is greedy. More is slower and usually a little better."),
    ] = None
    details: Annotated[
        bool, Field(description="Add each sentence, with the confidence and the aligned source words of each word.")
    ] = False
    prefix: Annotated[
        Annotated[str, FIT_TEXT] | None,
        Field(
            description="What the translation must begin with: the rest is decoded from there. For one text, which is "
            "taken as one sentence; memory is not asked. After white space a new word begins. `alternatives` then "
            "differ in the next word; the empty string is for those of the first."
        ),
    ] = None
    memory: Annotated[
        bool,
        Field(description="Answer with approved corrections where there are any. False asks the model for all of it."),
    ] = True
    log_consent: Annotated[
        bool,
        Field(description="Allow the server to store these texts and translations, to improve it. Off by default."),
    ] = False


class WordOut(BaseModel):
    """One word of a translation."""

    text: str
    confidence: Annotated[float, Field(description="0 to 1: the model's own probability, geometric mean over pieces.")]
    source_words: Annotated[list[int], Field(description="Indexes of the source words it renders; white space splits.")]


class SentenceOut(BaseModel):
    """One sentence of a text."""

    source_text: str
    span: Annotated[
        tuple[int, int], Field(description="Where it begins and ends in the text that was sent, in characters.")
    ]
    text: str
    score: float | None
    from_memory: bool
    correction_id: Annotated[UUID | None, Field(description="The approved correction that answered.")]
    truncated: bool
    words: list[WordOut]
    alignment: Annotated[list[tuple[int, int]], Field(description="Pairs of source and target word indexes.")]
    warnings: Annotated[
        list[str],
        Field(
            description="`span`: something that must stay as it is was lost by the model, and stands where it may. "
            "`number`: a number of the source is missing."
        ),
    ]


class DetailsOut(BaseModel):
    """Added when `details` is true."""

    sentences: list[SentenceOut]


class AlternativeOut(BaseModel):
    """Another translation of the whole text."""

    text: str
    score: float | None


class DetectedOut(BaseModel):
    """Added when `source` was `auto`."""

    language: Annotated[str | None, Field(description="Null if the text does not show its language.")]
    confidence: Annotated[float, Field(description="0 to 1.")]
    looks_like: Annotated[
        str | None, Field(description="The other language that it seems to be in (ISO 639-1); left out if unknown.")
    ] = None


class TranslationOut(BaseModel):
    """One text of the request, translated."""

    model_config = ConfigDict(protected_namespaces=())

    text: str
    source: Annotated[
        Language | None, Field(description="With `auto`, null if the text is in neither language: it stays as it is.")
    ]
    target: Language
    model_version: Annotated[str | None, Field(description="Which model translated; null if none was asked.")]
    from_memory: Annotated[bool, Field(description="True only if all of it is an approved correction.")]
    score: Annotated[float | None, Field(description="Mean log-probability per token; nearer to 0 is surer.")]
    truncated: Annotated[bool, Field(description="True if the model had to stop before it was done.")]
    correction_ids: Annotated[
        list[UUID] | None, Field(description="The approved corrections that answered, where any did.")
    ] = None
    detected: DetectedOut | None = None
    alternatives: list[AlternativeOut] | None = None
    details: DetailsOut | None = None
    logged: Annotated[bool | None, Field(description="With `log_consent`: whether the text was stored.")] = None


class TranslateAnswer(BaseModel):
    """Answer of `POST /v1/translate`: one entry for each text, in order."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_ANSWER]})

    translations: list[TranslationOut]


class ProblemField(BaseModel):
    """One wrong field."""

    field: str
    message: str
    limit: float | None = None


class Problem(BaseModel):
    """An error, as RFC 9457 (problem details) defines it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_PROBLEM]})

    type: Annotated[str, Field(description="Address of a description of this kind of error.")]
    title: str
    status: int
    detail: str
    errors: list[ProblemField] | None = None
    limit: Annotated[str | None, Field(description="With `limit-reached`: the setting that it is.")] = None


class KindOut(BaseModel):
    """Answer of `GET /problems/{slug}`."""

    title: str
    usual_status: int
    meaning: str


class ReadyOut(BaseModel):
    """Answer of `GET /health/ready`."""

    status: Literal["ready", "loading", "failed", "draining", "not translating"]
    models: Annotated[dict[str, str], Field(description="Pair to version.")]
    database: Literal["ok", "down", "not migrated"]
    detail: str | None = None
    background: Annotated[
        dict[str, str], Field(description="Tasks beside translation that failed lately, and are tried again.")
    ] = {}


class LiveOut(BaseModel):
    """Answer of `GET /health/live`."""

    status: Literal["alive", "failed"]
