"""The same on a cluster: Ray Data hands pieces of work to actors, each with one CPU or one GPU.

An actor that dies, by itself or with its machine, is started again by Ray, which hands it its piece again, without an
end. The end is set here: an actor of our own counts how often each piece was begun. What a piece raises is no death: it
comes back as a text and ends the run.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from app.corpora.files.extra import needed_for
from app.corpora.sharing.one_thread import ONE_THREAD
from app.corpora.sharing.processes import TRIES
from app.errors import AppError
from app.ray_environment import tell_ray
from model.errors import ModelError

AT_ONCE = 10_000
"""Pieces that Ray Data is given at a time: each is a block, of which the driver keeps account."""
START_S = 900
"""A cluster that grows when it is asked for more has so long to bring a first machine."""
Work = Callable[[Any], Any]
DIED = f"the actor that translates died {TRIES} times; was there enough memory?"


class Tries:
    """Counts, in an actor of its own, how often each piece was begun."""

    def __init__(self) -> None:
        self._counts = Counter[int]()

    def begin(self, index: int) -> int:
        """How often, this time included."""
        self._counts[index] += 1
        return self._counts[index]


class Actor:
    """A process of the cluster: `make` is called once, what it gives for each piece."""

    def __init__(self, make: Callable[[], Work], tries: Any) -> None:
        self._tries = tries
        self._work: Work | None = None
        try:
            self._work, self._problem = make(), ""
        except Exception as error:  # noqa: BLE001 - told by the first piece; else Ray would start it again and again
            self._problem = _told(error)

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        """One row, with a piece in JSON -> what was made of it, in JSON; or what went wrong."""
        (index,), (piece,) = rows["index"], rows["piece"]
        made, problem = self._tried(int(index), str(piece))
        return {"index": [index], "made": [made], "problem": [problem]}

    def _tried(self, index: int, piece: str) -> tuple[str, str]:
        import ray

        if self._work is None:
            return "", self._problem
        if ray.get(self._tries.begin.remote(index)) > TRIES:
            return "", DIED
        try:
            return json.dumps(self._work(json.loads(piece))), ""
        except Exception as error:  # noqa: BLE001 - it is raised by the driver
            return "", _told(error)


def connect() -> None:
    """Connect to the cluster that RAY_ADDRESS names, or to one of this machine, which is started if there is none.

    Raises:
        AppError: Ray is not installed, or the cluster does not answer.
    """
    if not os.environ.get("RAY_ADDRESS"):
        tell_ray()
    with needed_for("--cluster"):
        import ray
        import ray.data
    if ray.is_initialized():
        return
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        raise AppError(f"the Ray cluster does not answer: {error}") from error  # some are of no class of their own


def size(*, gpu: bool) -> int:
    """How many CPUs, or GPUs, the cluster has now; at least 1, for one that grows when it is asked for more."""
    import ray

    resources: Callable[[], dict[str, float]] = ray.cluster_resources
    return max(1, int(resources().get("GPU" if gpu else "CPU", 1)))


def once(work: Work, piece: object, *, gpu: bool) -> Any:
    """`work(piece)`, by some machine of the cluster.

    Raises:
        AppError: with the text of what it raised; or no machine was free within `START_S`.
    """
    import ray

    actor = ray.remote(num_cpus=1, num_gpus=int(gpu), runtime_env={"env_vars": ONE_THREAD})(_tried)
    try:
        made, problem = ray.get(actor.remote(work, piece), timeout=START_S)
    except ray.exceptions.GetTimeoutError:
        raise AppError(f"the cluster had no {'GPU' if gpu else 'CPU'} free within {START_S} s") from None
    except ray.exceptions.RayError as error:
        raise AppError(f"the cluster cannot begin: {error}") from None
    if problem:
        raise AppError(problem)
    return made


def on_cluster(
    make: Callable[[], Work], pieces: Sequence[Any], actors: int, name: Callable[[int], str], *, gpu: bool = False
) -> Iterator[tuple[int, Any]]:
    """`make()(piece)` for each of `pieces`, as soon as each is done, with its index.

    Pieces, and what is made of them, are values that JSON knows. `make` is called by each of the `actors`.

    Raises:
        AppError: what a piece raised, or the actors that did it died; then `name(index)` is in its text.
    """
    for start in range(0, len(pieces), AT_ONCE):
        yield from _some(make, range(start, min(start + AT_ONCE, len(pieces))), pieces, (actors, gpu), name)


def in_turn(results: Iterator[tuple[int, Any]]) -> Iterator[Any]:
    """What `on_cluster` gives, in the order of the pieces."""
    waiting: dict[int, Any] = {}
    following = 0
    for index, made in results:
        waiting[index] = made
        while following in waiting:
            yield waiting.pop(following)
            following += 1


def _some(
    make: Callable[[], Work], some: range, pieces: Sequence[Any], actors: tuple[int, bool], name: Callable[[int], str]
) -> Iterator[tuple[int, Any]]:
    import ray

    missing = set(some)
    rows = [{"index": index, "piece": json.dumps(pieces[index])} for index in some]
    counting = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Tries)
    try:
        for row in _dataset(rows, (make, counting.remote()), *actors).iter_rows():
            if row["problem"]:
                raise AppError(f"{name(row['index'])}: {DIED}" if row["problem"] == DIED else row["problem"])
            if row["index"] in missing:
                missing.remove(row["index"])
                yield int(row["index"]), json.loads(row["made"])
    except ray.exceptions.RayError as error:
        raise AppError(f"the cluster failed: {error}") from None
    if missing:
        raise AppError(f"the cluster failed: it did not do {name(min(missing))}")


def _dataset(rows: list[dict[str, Any]], constructed_with: tuple[Any, ...], actors: int, gpu: bool) -> Any:
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.max_consecutive_actor_init_deaths = TRIES
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    pool = ActorPoolStrategy(size=min(actors, len(rows)), max_tasks_in_flight_per_actor=1)
    return ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        Actor, batch_size=1, fn_constructor_args=constructed_with, num_cpus=1, num_gpus=int(gpu), compute=pool,
        runtime_env={"env_vars": ONE_THREAD},
    )  # fmt: skip


def _tried(work: Work, piece: object) -> tuple[Any, str]:
    try:
        return work(piece), ""
    except Exception as error:  # noqa: BLE001 - it is raised by the driver
        return None, _told(error)


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, AppError | ModelError) else f"{type(error).__name__}: {error}"
