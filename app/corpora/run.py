"""A run: plan, shards that are missing, outputs. Whatever ends it, the same call goes on with it.

inputs -> plan.json -> shards, in any order -> an output as soon as all its shards are there -> all else is removed
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from app.corpora.cost import Cost
from app.corpora.cutting import Cut, cut, spans
from app.corpora.files import places, table
from app.corpora.files.packing import packed_into
from app.corpora.files.places import Found
from app.corpora.layout import Kept, Layout, alone
from app.corpora.plan import PLAN, How, Model, Plan, differences, digest
from app.corpora.shards import Made, Shard, Task
from app.corpora.workers import Workers
from app.errors import AppError

MAX_TOLD = 20
"""Lines that cannot be translated and are told one by one."""


class Advance(Protocol):
    """Told after each shard."""

    def __call__(self, count: int, position: int) -> None:
        """`count` more lines are done, and `position` of all."""


@dataclass(frozen=True)
class Order:
    """What is asked for."""

    source: str
    target: str
    how: How
    force: bool = False
    """Begin anew, whatever there is."""
    resume: bool = False
    """Outputs that are all there, without a plan, are taken for complete."""
    keep_bad: bool = False
    price_per_hour: float | None = None


@dataclass(frozen=True)
class Told:
    """How people are told what happens: `say` a line, and a bar for so many lines in all and done before."""

    say: Callable[[str], None]
    bar: Callable[[int, int], AbstractContextManager[Advance]]


def translate_corpus(order: Order, engage: Callable[[], Workers], told: Told) -> None:
    """Translate all files of `order.source`, each into one of the same name; `engage` gives who does it.

    Raises:
        AppError: a file or a line cannot be translated, which is named; or the run was begun otherwise.
    """
    layout = Layout.of(order.source, order.target)
    inputs = places.found_at(layout.source)
    if not inputs:
        raise AppError(f"{layout.source}: there are no files in it")
    layout.check_apart(inputs)
    with alone(layout):
        if order.resume and not order.force and _is_complete(layout, inputs):
            told.say(f"{layout.target} is there already; what made it is not known any more")
            _forget(layout)
            return
        workers = engage()
        plan, kept = _planned(layout, inputs, workers.model, order)
        cost = Cost(workers.count, workers.unit, order.price_per_hour)
        _carry_out(_Run(plan, kept, order, told, cost), workers)
        told.say(cost.total(len(plan.files)))
        _forget(layout)


def _forget(layout: Layout) -> None:
    """Remove all that is not output; the plan first, or a run that is ended here would begin anew."""
    places.remove(places.join(layout.root, PLAN))
    places.remove(layout.root)


def _is_complete(layout: Layout, inputs: Sequence[Found]) -> bool:
    is_begun = PLAN in places.names_in(layout.root)
    return not is_begun and len(layout.is_there(list(inputs))) == len(inputs)


def _planned(layout: Layout, inputs: list[Found], model: Model, order: Order) -> tuple[Plan, Kept]:
    """The plan that is there, if it is the same, or a new one.

    Raises:
        AppError: it is another one, or an output is there that no plan tells of.
    """
    kept = Kept(places.join(layout.root, digest(model, order.how, inputs)), layout)
    if not order.force and (plan := Plan.read(layout.root)) is not None:
        if others := differences(plan, model, order.how, inputs):
            raise AppError(f"{layout.target}: it was begun otherwise: {'; '.join(others)}; --force begins anew")
        return plan, kept
    if not order.force and (there := layout.is_there(inputs)):
        raise AppError(f"{there[0]} is there; --force writes it anew")
    places.remove(layout.root)
    files = tuple(
        cut(layout.source_of(found.name), found, order.how.shard_lines, order.how.fields, kept.unpacked(index))
        for index, found in enumerate(inputs)
    )
    plan = Plan(model, order.how, files)
    places.write(places.join(layout.root, PLAN), plan.to_json().encode())
    return plan, kept


@dataclass(frozen=True)
class _Run:
    """What the steps below share."""

    plan: Plan
    kept: Kept
    order: Order
    told: Told
    cost: Cost

    def shards_of(self, index: int) -> list[Shard]:
        """Of one file."""
        file = self.plan.files[index]
        source, about = self.kept.readable(index, file), self.kept.layout.source_of(file.name)
        return [
            Shard.of(span, source, about, file.kind, self.kept.shard(index, number))
            for number, span in enumerate(spans(file, self.plan.how.shard_lines))
        ]


def _carry_out(run: _Run, workers: Workers) -> None:
    names = places.names_in(run.kept.folder)
    left = [index for index in range(len(run.plan.files)) if places.split(run.kept.done(index))[1] not in names]
    missing, owners = _missing(run, left, names)
    waiting = Counter(owners)
    task = Task(run.plan.model, run.plan.how.beam, run.plan.how.fields, run.order.keep_bad)
    position = run.plan.lines - sum(shard.lines for shard in missing)
    todo, bad = run.plan.lines - position, 0
    for index in left:
        if not waiting[index]:
            _put_together(run, index)
    with run.told.bar(run.plan.lines, position) as advance:
        for number, made in workers.results(missing, task) if missing else ():
            position += made.lines
            run.cost.add(made)
            bad = _tell(run, made, bad, todo)
            advance(made.lines, position)
            waiting[owners[number]] -= 1
            if not waiting[owners[number]]:
                _put_together(run, owners[number])
    _tell_at_the_end(run, bad, run.plan.lines - todo)


def _missing(run: _Run, left: Sequence[int], names: set[str]) -> tuple[list[Shard], list[int]]:
    """The shards that are not there, and the file that each is of."""
    missing: list[Shard] = []
    owners: list[int] = []
    for index in left:
        of_file = [shard for shard in run.shards_of(index) if places.split(shard.target)[1] not in names]
        missing += of_file
        owners += [index] * len(of_file)
    return missing, owners


def _tell(run: _Run, made: Made, bad: int, todo: int) -> int:
    """Tell what there is to tell of a shard; how many bad lines there are with it."""
    cost = run.cost
    if cost.shards == cost.workers and cost.lines < todo:
        run.told.say(cost.estimate(todo))
    for problem in made.bad[: max(0, MAX_TOLD - bad)]:
        run.told.say(problem)
    return bad + len(made.bad)


def _tell_at_the_end(run: _Run, bad: int, before: int) -> None:
    """What people should look at; of the lines that were done `before`, by a run that was ended, nothing was kept."""
    cost = run.cost
    if bad:
        run.told.say(f"{bad:,} lines could not be translated; they were left as they are")
    if cost.truncated:
        about = f"{cost.truncated:,} of {cost.lines:,} reached the limit of words"
        run.told.say(f"{about}; their translations may be incomplete")
    if before:
        run.told.say(f"{before:,} lines were done before, by a run that was ended; all counts are without them")


def _put_together(run: _Run, index: int) -> None:
    """Make one output of its shards, whole or not at all.

    Raises:
        AppError: the input was changed meanwhile, or a shard is not there any more.
    """
    file, layout = run.plan.files[index], run.kept.layout
    source, target = layout.source_of(file.name), layout.output_of(file.name)
    _check_unchanged(source, file)
    shards = (places.read(shard.target) for shard in run.shards_of(index))
    with places.written(target, run.kept.folder) as output:
        if file.kind == "parquet":
            table.write_with(source, output, shards, run.plan.how.fields)
        else:
            with packed_into(output, target) as packed:
                for data in shards:
                    packed.write(data)
    places.write(run.kept.done(index), b"\n")


def _check_unchanged(source: str, file: Cut) -> None:
    found = next(iter(places.found_at(source)))
    if (found.size, found.stamp) != (file.size, file.stamp):
        raise AppError(f"{source}: it was changed while it was translated; --force begins anew")
