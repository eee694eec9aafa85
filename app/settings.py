"""What the operator may choose, read from environment variables `TRAGHETTO_<NAME>`; listed in `docs/settings.md`.

A variable that begins with the prefix and is not known stops the program: a misspelt limit must not pass unnoticed.
"""

from __future__ import annotations

import datetime as dt
import difflib
import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app import setting_values
from app.errors import SettingsError
from app.logs import LogFormat
from app.scopes import SCOPES, Scope
from model.kernels.cores import usable_cores

PREFIX = "TRAGHETTO_"
NOT_SETTINGS = ("TRAGHETTO_REQUIRE", "TRAGHETTO_CORPUS_DIR", "TRAGHETTO_INSTRUCTIONS")
"""Variables of the tests, the trainer and the decoder that share the prefix, besides all of `TRAGHETTO_TEST_...`."""
TEST_PREFIX = "TRAGHETTO_TEST_"


Rate = Annotated[str, AfterValidator(setting_values.rates)]
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
    database_url: Annotated[str, AfterValidator(setting_values.database_url)] | None = None
    """PostgreSQL or SQLite; by default SQLite in `data_dir`."""
    models_url: Annotated[str, AfterValidator(setting_values.models_url)] | None = None
    """Store of versions that several servers share, `s3://bucket/models` or `file:///folder`; none: `data_dir`."""
    migrate_on_start: bool = True
    """Bring the database up to date before listening."""
    admin_key: Annotated[SecretStr, AfterValidator(setting_values.admin_key)] | None = None
    """A key with all scopes. Without it requests that come straight from this machine have them."""
    open_scopes: Annotated[str, AfterValidator(setting_values.open_scopes)] = "translate,correct"
    """What needs no key: `translate`, `correct`, both, or `none`."""
    allowed_hosts: Annotated[str, AfterValidator(setting_values.hosts)] | None = None
    """Names by which a proxy in front is called, comma-separated; needed for changes without a key."""
    trusted_proxies: Annotated[str, AfterValidator(setting_values.proxies)] | None = None
    """Addresses or networks of proxies in front whose `X-Forwarded-For` is believed, comma-separated."""
    cors_origins: Annotated[str, AfterValidator(setting_values.origins)] | None = None
    """Origins whose pages may call the API from a browser, comma-separated; `*` is any."""
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
    max_head_bytes: Annotated[int, Field(ge=4096)] = 65_536
    """Bytes of the head of a request: its address and header fields."""
    max_beam: Annotated[int, Field(ge=1, le=64)] = 8
    """Widest beam that a request may ask for."""
    max_alternatives: Annotated[int, Field(ge=0, le=63)] = 5
    """Alternative translations that a request may ask for; at most `max_beam - 1`."""
    default_beam: Count = 4
    """Beam of requests that ask for none; 1 is greedy search."""
    deadline_s: Seconds = 30.0
    """A request that is not answered by then gets 503."""

    requests_per_address: Rate = "600/minute"
    """Requests of clients without a key, by their address; such as `20/second;5000/hour`, or `none`."""
    characters_per_address: Rate = "1000000/hour"
    """Characters that they may send to be translated, whatever becomes of it."""
    requests_per_session: Rate = "300/minute"
    """Requests of one client without a key that tells its session, as the pages do; besides those of its address."""
    characters_per_session: Rate = "500000/hour"
    """Characters that it may send to be translated."""
    requests_per_key: Rate = "6000/minute"
    """Requests with one key, unless it has a rate of its own."""
    characters_per_key: Rate = "none"
    """Characters that may be sent with one key within a while."""
    characters_per_month: AtLeastNone = 0
    """Characters that may be translated with one key in a month (UTC), unless it has a number of its own; 0: any."""
    redis_url: Annotated[SecretStr, AfterValidator(setting_values.redis_url)] | None = None
    """Where several workers or replicas count rates together; without it each counts for itself."""

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
    log_format: LogFormat = "text"
    """How: `text` for people, `json` for machines, an object a line."""
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
        for name in ("characters_per_address", "characters_per_session", "characters_per_key"):
            is_chosen = {name, "max_request_chars"} & self.model_fields_set
            if is_chosen and (least := setting_values.least_amount(getattr(self, name))) < self.max_request_chars:
                raise ValueError(
                    f"{name} ({least}) must not be below max_request_chars ({self.max_request_chars}): no request of "
                    "that size would ever be answered"
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
        for name in ("admin_key", "redis_url"):
            if values[name] is not None:
                values[name] = values[name].get_secret_value()
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
