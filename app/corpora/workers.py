"""Who translates the shards of a run: processes of this machine, or actors of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from app.corpora.plan import Model
from app.corpora.shards import Made, Shard, Task, load, loaded_work, model_of, work_with

if TYPE_CHECKING:
    from model.translator import Translator


@dataclass(frozen=True)
class Wanted:
    """The translator that was asked for; what is None or `auto` is decided where it is loaded."""

    pair: str
    version: str | None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    route: Literal["auto", "fp32", "bf16", "int8"] = "auto"


class Workers(Protocol):
    """Both kinds."""

    model: Model
    count: int
    unit: str

    def results(self, shards: Sequence[Shard], task: Task) -> Iterator[tuple[int, Made]]:
        """What became of each of `shards`, as soon as it is done, with its index."""


class Here:
    """Forked processes; where PyTorch decodes, whose threads do not survive a fork, this one alone."""

    unit = "CPU"

    def __init__(self, wanted: Wanted, processes: int | None) -> None:
        """Load the translator.

        Raises:
            VersionError, ConfigError: it is not there.
        """
        from app.settings import load_settings

        threads = processes or load_settings().threads
        self._translator: Translator = load(wanted.pair, wanted.version, wanted.device, wanted.route, threads)
        self.model = model_of(self._translator)
        self.count = threads if self._translator.is_shared else 1

    def results(self, shards: Sequence[Shard], task: Task) -> Iterator[tuple[int, Made]]:
        """As `Workers` has it."""
        from app.corpora.sharing.processes import in_processes

        work = work_with(self._translator, task)
        if not self._translator.is_shared:
            return enumerate(map(work, shards))
        return in_processes(work, shards, self.count, lambda shard: shard.name)


class OnCluster:
    """Actors, each with one CPU, or one GPU if `wanted` says `cuda`."""

    def __init__(self, wanted: Wanted, actors: int | None) -> None:
        """Ask one machine of the cluster what it would translate with.

        Raises:
            AppError: Ray or the cluster is not there, or has no such translator.
        """
        from app.corpora.sharing import cluster

        cluster.connect()
        self._gpu = wanted.device == "cuda"
        self._device = "cuda" if self._gpu else "cpu"
        self.unit = "GPU" if self._gpu else "CPU"
        asked = [wanted.pair, wanted.version, self._device, wanted.route]
        self.model = Model.from_dict(cluster.once(_model_there, asked, gpu=self._gpu))
        self.count = actors or cluster.size(gpu=self._gpu)

    def results(self, shards: Sequence[Shard], task: Task) -> Iterator[tuple[int, Made]]:
        """As `Workers` has it."""
        from app.corpora.sharing.cluster import on_cluster

        found = on_cluster(
            partial(_work_there, task, self._device), [shard.to_dict() for shard in shards], self.count,
            lambda index: shards[index].name, gpu=self._gpu,
        )  # fmt: skip
        return ((index, Made.from_dict(made)) for index, made in found)


def _model_there(asked: tuple[str, str | None, str, str]) -> dict[str, Any]:
    return model_of(load(*asked)).to_dict()


def _work_there(task: Task, device: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    work = loaded_work(task, device)
    return lambda shard: work(Shard.from_dict(shard)).to_dict()
