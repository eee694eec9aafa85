"""What a run does, fixed before its first line: the inputs, the model, how it searches, how the work is cut.

    OUTPUT/_traghetto/plan.json         the plan, of an output that is a folder
    FOLDER/_traghetto/NAME/plan.json    ... of one that is a file
            .../DIGEST/00002-000017     the translation of a shard
            .../DIGEST/00002.unpacked   an input that is packed, unpacked
            .../DIGEST/00002.done       an output that is whole

Shards lie in a folder that is named after their plan, so that a process which survived an earlier run, of another plan,
cannot write among them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from app.corpora.cutting import Cut
from app.corpora.files import places
from app.corpora.files.kinds import Fields
from app.corpora.files.places import Found
from app.errors import AppError
from model.config import JsonConfig
from model.errors import ConfigError

FOLDER, PLAN = "_traghetto", "plan.json"
SHARD_LINES = 2000


@dataclass(frozen=True)
class Model(JsonConfig):
    """What translates, such that another process or machine can find the same."""

    pair: str
    version: str
    weights_sha256: str
    route: str


@dataclass(frozen=True)
class How(JsonConfig):
    """What else the lines of the output depend on, and how they are cut into shards."""

    beam: int
    field: str
    to_field: str
    shard_lines: int

    @property
    def fields(self) -> Fields:
        """Of JSON and Parquet."""
        return Fields(self.field, self.to_field)


@dataclass(frozen=True)
class Plan:
    """All of a run; `files` are in the order of their names."""

    model: Model
    how: How
    files: tuple[Cut, ...]

    @property
    def lines(self) -> int:
        """Of all files."""
        return sum(file.lines for file in self.files)

    def to_json(self) -> str:
        """As it is kept."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, place: str) -> Plan | None:
        """The plan in the folder `place`, or None where there is none.

        Raises:
            AppError: it cannot be read.
        """
        if PLAN not in places.names_in(place):
            return None
        path = places.join(place, PLAN)
        try:
            found: dict[str, Any] = json.loads(places.read(path))
            files = tuple(Cut(**file) for file in found["files"])
            return cls(Model.from_dict(found["model"]), How.from_dict(found["how"]), files)
        except (ValueError, KeyError, TypeError, ConfigError) as error:
            raise AppError(f"{path}: it is not a plan of this program ({error}); --force begins anew") from None


def digest(model: Model, how: How, inputs: list[Found]) -> str:
    """A name for the plan of that."""
    known = [asdict(model), asdict(how), [asdict(file) for file in inputs]]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def differences(plan: Plan, model: Model, how: How, inputs: list[Found]) -> list[str]:
    """What differs between a plan and what is asked for now, for people."""
    before = asdict(plan.model) | asdict(plan.how)
    now = asdict(model) | asdict(how)
    told = [f"{name} {before[name]}, now {now[name]}" for name in before if before[name] != now[name]]
    old, new = ({file.name: (file.size, file.stamp) for file in files} for files in (plan.files, inputs))
    told += [f"input {name} is not there any more" for name in sorted(set(old) - set(new))]
    told += [f"input {name} is new" for name in sorted(set(new) - set(old))]
    for name in sorted(set(old) & set(new)):
        if old[name] != new[name]:
            told.append(f"input {name} was changed ({old[name][0]:,} bytes, now {new[name][0]:,})")
    return told
