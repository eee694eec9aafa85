"""What the routes of model versions read and write."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.http.schemas.translation import FIT_TEXT, DetailsOut
from app.languages import Language
from app.versions import description
from app.versions.catalogue import Entry

Interval = Annotated[tuple[float, float] | None, Field(description="Of 95 %.")]


class FromCard(BaseModel):
    """Read from a card: what that lacks is null."""

    model_config = ConfigDict(from_attributes=True)


class ScoreOut(FromCard):
    """The figures of one set of sentences; BLEU and chrF 0 to 100."""

    set: Annotated[str, Field(description="`gate: ...` were measured by the gate of a retraining.")]
    sentences: int | None
    bleu: float | None
    bleu_interval: Interval
    chrf: float | None
    chrf_interval: Interval


class KindOut(FromCard):
    """Of one kind of item: how many are right."""

    name: str
    passed: int
    items: int


class CheckedOut(FromCard):
    """A set whose items are right or wrong."""

    passed: int
    items: int
    kinds: list[KindOut]


class GateResultOut(FromCard):
    """What the gate found on one set when the version was made."""

    set: str
    sentences: int | None
    measure: str
    before: float | None
    after: float | None
    delta: float | None
    interval: Annotated[tuple[float, float] | None, Field(description="Of 95 %, of the difference.")]
    passed: bool
    why: str


class TrainingOut(FromCard):
    """How the version was trained."""

    tokens: Annotated[int | None, Field(description="Target tokens.")]
    steps: int | None
    seconds: float | None
    device: str | None
    parameters: int | None


class DataOut(FromCard):
    """What the version was trained on."""

    corpora: int
    pairs: Annotated[int, Field(description="Of sentences, in all corpora.")]
    replayed: Annotated[str | None, Field(description="Of a retrained version: where the other sentences came from.")]


class PointOut(FromCard):
    """One evaluation while the version was trained."""

    tokens: Annotated[int, Field(description="Target tokens so far.")]
    values: Annotated[
        dict[str, float],
        Field(description="`SET bleu` (0 to 100), `SET nll` and, of the training, `nll` (nats a token)."),
    ]


class ModelOut(BaseModel):
    """One model version on disk."""

    pair: str
    version: str
    current: Annotated[bool, Field(description="Whether it was promoted last; without a promotion, `default` is.")]
    loaded: Annotated[bool, Field(description="Whether it is translating now, in the worker that answers.")]
    status: Annotated[
        Literal["current", "retired", "candidate", "refused"],
        Field(description="`retired` was current once; `candidate` never was; `refused` by the gate."),
    ]
    size_bytes: int
    problem: Annotated[str | None, Field(description="Why it cannot be used.")] = None
    parent: Annotated[str | None, Field(description="The version that it was made from.")] = None
    created: Annotated[str | None, Field(description="ISO 8601, with time and time zone.")] = None
    corrections: Annotated[int, Field(description="How many it was trained on itself, without its ancestors.")] = 0
    scores: list[ScoreOut] = []

    @classmethod
    def of(cls, entry: Entry, *, loaded: bool, refusal: str | None, **more: Any) -> Self:
        """`refusal`: why the worker that answers did not take it over."""
        info, card = entry.info, entry.card
        return cls(
            pair=info.pair,
            version=info.version,
            current=entry.status == "current",
            loaded=loaded,
            status=entry.status,  # type: ignore[arg-type]
            size_bytes=info.size_bytes,
            problem=info.problem or refusal,
            parent=entry.parent,
            created=card.created if card else None,
            corrections=entry.corrections,
            scores=[ScoreOut.model_validate(one) for one in description.scores_of(card)] if card else [],
            **more,
        )


class ModelsOut(BaseModel):
    """Answer of `GET /v1/models`."""

    models: list[ModelOut]
    rollback: Annotated[
        dict[str, str | None],
        Field(description="For each pair the version that a rollback would make current; null: there is none."),
    ]


class ModelDetailOut(ModelOut):
    """Answer of `GET /v1/models/{pair}/{version}`."""

    lineage: Annotated[list[str], Field(description="Its ancestors, nearest first; the last may not be on disk.")]
    challenge: Annotated[CheckedOut | None, Field(description="The challenge set, by phenomenon.")] = None
    words: Annotated[CheckedOut | None, Field(description="Everyday words, by the form that is typed.")] = None
    texts: Annotated[CheckedOut | None, Field(description="Texts as people write them, by kind.")] = None
    weak_at: Annotated[
        list[str], Field(description="Phenomena that it gets wrong more often than right; the weakest first.")
    ] = []
    gate: Annotated[list[GateResultOut], Field(description="What let it pass, if it was retrained.")] = []
    training: TrainingOut | None = None
    data: DataOut | None = None
    curve: Annotated[list[PointOut], Field(description="The learning curve, by tokens.")] = []
    run_id: Annotated[UUID | None, Field(description="The retraining that made it.")] = None

    @classmethod
    def in_full(cls, entry: Entry, *, loaded: bool, refusal: str | None, run_id: UUID | None) -> Self:
        """As `of`, with all that the card says."""
        known = {"lineage": entry.lineage, "run_id": run_id}
        if entry.card is None:
            return cls.of(entry, loaded=loaded, refusal=refusal, **known)
        card = entry.card
        challenge, words, texts = description.challenge_of(card), description.words_of(card), description.texts_of(card)
        return cls.of(
            entry,
            loaded=loaded,
            refusal=refusal,
            challenge=challenge and CheckedOut.model_validate(challenge),
            words=words and CheckedOut.model_validate(words),
            texts=texts and CheckedOut.model_validate(texts),
            weak_at=[kind.name for kind in description.weak_kinds(challenge)],
            gate=[GateResultOut.model_validate(one) for one in description.gate_of(card)],
            training=TrainingOut.model_validate(description.training_of(card)),
            data=DataOut.model_validate(description.data_of(card)),
            curve=[PointOut.model_validate(one) for one in description.curve_of(card)],
            **known,
        )


class ModelMoveOut(BaseModel):
    """Answer of a promotion or a rollback."""

    pair: str
    version: Annotated[str, Field(description="Current from now on.")]
    previous: Annotated[str, Field(description="Current before.")]
    loaded: Annotated[
        bool, Field(description="Whether the worker that answers translates with it already. Others follow in seconds.")
    ]


class TryBody(BaseModel):
    """Body of `POST /v1/models/{pair}/{version}/translate`."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, json_schema_extra={"examples": [{"text": "Ho molta fame oggi."}]}
    )

    text: Annotated[str, FIT_TEXT, Field(description="In the source language of the pair; one sentence or several.")]


class TryOut(BaseModel):
    """Answer of `POST /v1/models/{pair}/{version}/translate`."""

    model_config = ConfigDict(protected_namespaces=())

    text: str
    source: Language
    target: Language
    model_version: str
    score: Annotated[float | None, Field(description="Mean log-probability per token; nearer to 0 is surer.")]
    truncated: Annotated[bool, Field(description="True if the model had to stop before it was done.")]
    details: DetailsOut
