"""What is chosen for a cluster, beside the settings of each replica."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ClusterOptions(BaseModel):
    """Replicas and what stands before them. In a file for Ray these are the application's `args`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replicas: Annotated[int, Field(ge=1, le=1000)] = 2
    """How many there are at first, and at least."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many there may be under load; as many as `replicas` if not given."""
    cores: Annotated[int, Field(ge=1, le=256)] = 1
    """CPU cores of each replica."""
    gpus: Annotated[float, Field(ge=0, le=8)] = 0
    """GPUs of each replica; parts of one are allowed."""
    target_requests: Annotated[int, Field(ge=1)] = 32
    """Requests at once in each replica from which on another is started. More share a batch, and wait longer."""
    upscale_delay_s: Annotated[float, Field(ge=0)] = 10
    """How long there must be too many requests before there is another replica."""
    downscale_delay_s: Annotated[float, Field(ge=0)] = 300
    """How long there must be too few before there is one less."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max_replicas is not None and self.max_replicas < self.replicas:
            raise ValueError(f"max_replicas is {self.max_replicas}, less than replicas, {self.replicas}")
        return self
