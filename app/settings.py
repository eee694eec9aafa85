"""What the operator may choose, read from environment variables `TRAGHETTO_<NAME>`; listed in `docs/settings.md`.

A variable that begins with the prefix and is not known stops the program: a misspelt limit must not pass unnoticed.
"""

from __future__ import annotations

import datetime as dt
import difflib
import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import SettingsError
from app.scopes import SCOPES, Scope
from model.kernels.cores import usable_cores

PREFIX = "TRAGHETTO_"
NOT_SETTINGS = ("TRAGHETTO_REQUIRE", "TRAGHETTO_CORPUS_DIR", "TRAGHETTO_INSTRUCTIONS")
"""Variables of the tests, the trainer and the decoder that share the prefix, besides all of `TRAGHETTO_TEST_...`."""
TEST_PREFIX = "TRAGHETTO_TEST_"
MIN_ADMIN_KEY_CHARS = 16
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def _check_database_url(url: str) -> str:
    from sqlalchemy.engine import make_url  # slow to import: only where there is a URL to look at
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("not a database URL such as postgresql://user:password@host/name") from None
    if parsed.drivername not in DRIVERS:
        raise ValueError(f"{parsed.drivername!r} is not supported; use sqlite:///file or postgresql://user@host/name")
    return parsed.set(drivername=DRIVERS[parsed.drivername]).render_as_string(hide_password=False)


def _check_admin_key(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < MIN_ADMIN_KEY_CHARS:
        raise ValueError(f"must have at least {MIN_ADMIN_KEY_CHARS} characters; try: openssl rand -hex 24")
    return key


def _check_open_scopes(scopes: str) -> str:
    names = [name.strip() for name in scopes.split(",")]
    if names != ["none"] and not set(names) <= {"translate", "correct"}:
        raise ValueError("must be none, translate, correct, or translate,correct; review and admin always need a key")
    return ",".join(names)


def _check_hosts(hosts: str) -> str:
    names = [name.strip() for name in hosts.split(",")]
    wrong = [name for name in names if not re.fullmatch(r"[A-Za-z0-9._-]+", name)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is not a host name such as translate.example.org, without scheme and port")
    return ",".join(names)


Count = Annotated[int, Field(ge=1)]
AtLeastNone = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Settings(BaseSettings):
    """All settings of the server. Frozen; units are in the names."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    host: str = "127.0.0.1"
    """Address to listen on. Any but localhost needs `admin_key`."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """TCP port; 0 takes a free one."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes, each with its own models, queue and metrics."""
    data_dir: Path = Path("var")
    """Every file that the server writes lies below."""
    database_url: Annotated[str, AfterValidator(_check_database_url)] | None = None
    """PostgreSQL or SQLite; by default SQLite in `data_dir`."""
    migrate_on_start: bool = True
    """Bring the database up to date before listening."""
    admin_key: Annotated[SecretStr, AfterValidator(_check_admin_key)] | None = None
    """A key with all scopes. Without it requests that come straight from this machine have them."""
    open_scopes: Annotated[str, AfterValidator(_check_open_scopes)] = "translate,correct"
    """What needs no key: `translate`, `correct`, both, or `none`."""
    allowed_hosts: Annotated[str, AfterValidator(_check_hosts)] | None = None
    """Names by which a proxy in front is called, comma-separated; needed for changes without a key."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the models run."""
    route: Literal["auto", "fp32", "bf16", "int8"] = "auto"
    """Arithmetic of the models; `auto` takes the fastest for the device."""
    torch_threads: Annotated[int, Field(ge=0, le=256)] = 0
    """CPU threads for the network in each worker; 0 means cores / workers."""

    max_chars: Count = 10_000
    """Characters of one text."""
    max_texts: Count = 100
    """Texts of one request."""
    max_request_chars: Count = 50_000
    """Characters of all texts of one request."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    """Bytes of one request body."""
    max_beam: Annotated[int, Field(ge=1, le=64)] = 8
    """Widest beam that a request may ask for."""
    max_alternatives: Annotated[int, Field(ge=0, le=63)] = 5
    """Alternative translations that a request may ask for; at most `max_beam - 1`."""
    default_beam: Count = 4
    """Beam of requests that ask for none; 1 is greedy search."""
    deadline_s: Seconds = 30.0
    """A request that is not answered by then gets 503."""

    batch_tokens: Count = 4096
    """Budget of one batch: longest sentence x sentences x beam, in source tokens."""
    batch_sentences: Count = 128
    """Sentences of one batch."""
    queue_tokens: Count = 100_000
    """Source tokens that may wait; beyond, requests get 429."""
    max_connections: Count = 1000
    """Connections of one worker, idle ones counted; beyond, requests get 503."""
    drain_s: Seconds = 20.0
    """After SIGTERM, time for what was accepted to be answered."""

    corrections_confirmations: Annotated[int, Field(ge=1, le=2)] = 1
    """People who must approve a correction before it counts; with 2 its author is not one of them."""
    corrections_import_max_bytes: Annotated[int, Field(ge=1024)] = 16_777_216
    """Bytes of a file that is imported by HTTP; larger ones are for `traghetto corrections import`."""
    corrections_retention_days: Annotated[int, Field(ge=0)] = 0
    """Rejected and superseded corrections are deleted after this time; 0 keeps them."""
    corrections_pending_per_sentence: AtLeastNone = 50
    """Corrections of one sentence that may wait for a reviewer; beyond, one gets 429. 0: no limit."""
    corrections_pending_per_session: AtLeastNone = 200
    """Corrections of one client without a key that may wait, by its session; 0: no limit."""
    corrections_pending_anonymous: AtLeastNone = 5000
    """Corrections of all clients without a key together that may wait; 0: no limit."""
    corrections_pending_per_key: AtLeastNone = 10_000
    """Corrections of one key that may wait, unless it may review; 0: no limit."""
    retrain_at: dt.time | None = None
    """Time of day, such as 03:00, at which a pair with new corrections is retrained by the server; none: never."""
    retrain_after: Annotated[int, Field(ge=0)] = 0
    """A pair is retrained when so many new corrections are approved; 0: never."""

    log_keyless_per_day: AtLeastNone = 5000
    """Texts without a key that `log_consent` stores within 24 hours; beyond, `logged` is false. 0: no limit."""
    log_retention_days: Count = 90
    """Texts stored with `log_consent` are deleted after this time."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important message that is logged. No level logs texts."""
    access_log: bool = False
    """Log a line for each request, with the client's address and without what follows the `?`."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.max_alternatives >= self.max_beam:
            raise ValueError(f"max_alternatives ({self.max_alternatives}) must be below max_beam ({self.max_beam})")
        if self.default_beam > self.max_beam:
            raise ValueError(f"default_beam ({self.default_beam}) must not be above max_beam ({self.max_beam})")
        if self.max_request_chars < self.max_chars:
            raise ValueError(
                f"max_request_chars ({self.max_request_chars}) must not be below max_chars ({self.max_chars})"
            )
        return self

    @property
    def database(self) -> str:
        """The database URL with the driver that is used here."""
        if self.database_url is not None:
            return self.database_url
        return f"sqlite+aiosqlite:///{(self.data_dir / 'traghetto.db').absolute()}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach `host`."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def open_to_all(self) -> frozenset[Scope]:
        """The scopes of a request without a key."""
        return frozenset(scope for scope in SCOPES if scope in self.open_scopes.split(","))

    @property
    def hosts_allowed(self) -> frozenset[str]:
        """`allowed_hosts`, in lower case."""
        return frozenset((self.allowed_hosts or "").lower().split(",")) - {""}

    @property
    def threads(self) -> int:
        """CPU threads for the network in one worker."""
        return self.torch_threads or max(1, usable_cores() // self.workers)

    def to_environment(self) -> dict[str, str]:
        """The variables that `load_settings` reads these same settings from; for worker processes."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        if self.admin_key is not None:
            values["admin_key"] = self.admin_key.get_secret_value()
        return {PREFIX + name.upper(): str(value) for name, value in values.items() if value is not None}


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, then from `overrides` (command-line flags; None means not given).

    Raises:
        SettingsError: a variable is unknown or a value is not allowed; the text names each.
    """
    _refuse_unknown()
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("\n".join(_describe(problem) for problem in error.errors())) from None


def _refuse_unknown() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for variable in sorted(os.environ):
        name = variable.upper()
        if not name.startswith(PREFIX) or name in known or name in NOT_SETTINGS or name.startswith(TEST_PREFIX):
            continue
        close = difflib.get_close_matches(name, sorted(known), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise SettingsError(f"{variable} is not a setting of Traghetto{hint} (docs/settings.md lists them)")


def _describe(problem: Any) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    return f"{PREFIX}{str(problem['loc'][0]).upper()}: {message}"
