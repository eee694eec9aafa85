"""Settings: frozen, checked, documented, and never misspelt in silence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.errors import SettingsError
from app.serve import check_address
from app.settings import PREFIX, Settings, load_settings

DOCS = Path(__file__).parents[3] / "docs" / "settings.md"
KEY = "0123456789abcdef"


def test_defaults_are_safe() -> None:
    settings = load_settings()
    assert settings.is_local
    assert settings.admin_key is None
    assert settings.database.startswith("sqlite+aiosqlite:////")
    assert settings.database.endswith("/var/traghetto.db")


def test_the_environment_is_read_and_flags_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAGHETTO_PORT", "9000")
    monkeypatch.setenv("TRAGHETTO_MAX_CHARS", "77")
    settings = load_settings(port=9001, host=None)
    assert (settings.port, settings.max_chars, settings.host) == (9001, 77, "127.0.0.1")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        load_settings().port = 1  # type: ignore[misc]


def test_an_unknown_variable_is_refused_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAGHETTO_MAX_CHAR", "5")
    with pytest.raises(SettingsError, match=r"TRAGHETTO_MAX_CHAR is not a setting.*did you mean TRAGHETTO_MAX_CHARS"):
        load_settings()


def test_variables_of_the_tests_are_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRAGHETTO_REQUIRE", "TRAGHETTO_CORPUS_DIR", "TRAGHETTO_TEST_POSTGRES_URL", "TRAGHETTO_TEST_X"):
        monkeypatch.setenv(name, "")
    load_settings()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"port": 70_000}, "TRAGHETTO_PORT"),
        ({"workers": 0}, "TRAGHETTO_WORKERS"),
        ({"max_alternatives": 8, "max_beam": 8}, "max_alternatives .8. must be below max_beam"),
        ({"default_beam": 9}, "default_beam .9. must not be above max_beam"),
        ({"max_request_chars": 10}, "max_request_chars .10. must not be below max_chars"),
        ({"deadline_s": 0}, "TRAGHETTO_DEADLINE_S"),
        ({"admin_key": "short"}, "TRAGHETTO_ADMIN_KEY: must have at least 16 characters"),
        ({"database_url": "mysql://x/y"}, "TRAGHETTO_DATABASE_URL: 'mysql' is not supported"),
        ({"database_url": "nonsense"}, "TRAGHETTO_DATABASE_URL: not a database URL"),
        *[
            ({"models_url": url}, "TRAGHETTO_MODELS_URL: not the URL of a store")
            for url in ("models", "/models", "file://models", "file:///", "s3://", "ftp://host/models", "memory://x")
        ],
        *[
            ({"models_url": url}, "TRAGHETTO_MODELS_URL: must hold no user, password")
            for url in ("s3://key:hunter2@bucket/models", "s3://key@bucket", "s3://bucket/models?secret=hunter2")
        ],
    ],
)
def test_wrong_values_are_named(values: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(**values)


def test_a_store_is_named_by_its_url() -> None:
    for url in ("s3://bucket/models", "s3://bucket", "file:///shared/models"):
        assert load_settings(models_url=f"{url}/").models_url == url
    with pytest.raises(SettingsError) as error:
        load_settings(models_url="s3://key:hunter2@bucket/models")
    assert "hunter2" not in str(error.value)


def test_the_admin_key_is_not_shown() -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(admin_key="hunter2")
    assert "hunter2" not in str(error.value)
    assert KEY not in repr(load_settings(admin_key=KEY))


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
        ("sqlite:///x.db", "sqlite+aiosqlite:///x.db"),
    ],
)
def test_database_urls_get_the_driver(given: str, used: str) -> None:
    assert load_settings(database_url=given).database == used


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_localhost_needs_no_key(host: str) -> None:
    check_address(Settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_any_other_address_needs_a_key(host: str) -> None:
    with pytest.raises(SettingsError, match="TRAGHETTO_ADMIN_KEY"):
        check_address(Settings(host=host))
    check_address(Settings(host=host, admin_key=KEY))  # type: ignore[arg-type]


def test_workers_read_the_same_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(admin_key=KEY, port=9123, deadline_s=2.5, migrate_on_start=False, data_dir="/tmp/x")
    for name, value in settings.to_environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_threads_are_shared_by_the_workers() -> None:
    assert Settings(torch_threads=3, workers=2).threads == 3
    assert Settings(workers=64).threads == 1


def test_every_setting_is_documented_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(TRAGHETTO_\w+)` \| (.*?) \|", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE))
    expected = {
        PREFIX + name.upper(): "none" if field.default is None else f"`{field.default}`"
        for name, field in Settings.model_fields.items()
    }
    assert rows == expected, "docs/settings.md must list every setting, no other, and the right default"
