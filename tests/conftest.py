"""What every test here relies on: needs that skip or fail, parallel workers, threads, seeds, and the outside world.

A test marked by a need (`corpus`, `postgres`, `browser`, `gpu`, `weights`, `native`, `avx512`) is skipped, with the
reason, where that is absent. Where the environment variable TRAGHETTO_REQUIRE names it (comma-separated), the test
fails instead: a run that was meant to cover something cannot pass by leaving it out.

Variables: TRAGHETTO_REQUIRE, TRAGHETTO_CORPUS_DIR (the corpus), TRAGHETTO_TEST_POSTGRES_URL (a server whose user may
create databases; default: the local one), TRAGHETTO_TEST_CHROMIUM (a browser other than the one on the path),
TRAGHETTO_TEST_LAYOUTS (random layouts for each test of the C code; default: 3).
"""

from __future__ import annotations

import functools
import os
import random
import shutil
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

MAX_WORKERS = 8
"""Parallel workers: each holds torch, and a few connections to PostgreSQL, which lets 100 in."""


def _few_threads() -> None:
    """Two in a run without workers, one in a worker, whatever it was told by the process that started it.

    A thread that waits sleeps: where several processes share the cores, one that spins keeps the others from the work
    that it waits for. Programs that tests start are told too.
    """
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1" if is_worker else os.environ.get(variable, "2")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


_few_threads()  # read when torch is first imported, so set before any test module

pytest_plugins = ["pytester", "covered"]

SEED = 20181123
S3_REGION = "eu-south-1"
DEFAULT_POSTGRES_URL = "postgresql://postgres@127.0.0.1:5432/postgres"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@functools.cache
def _no_corpus() -> str | None:
    folder = os.environ.get("TRAGHETTO_CORPUS_DIR")
    if not folder:
        return "TRAGHETTO_CORPUS_DIR is not set"
    if not (Path(folder) / "tatoeba.test.tsv.gz").is_file():
        return f"TRAGHETTO_CORPUS_DIR={folder} has no tatoeba.test.tsv.gz"
    return None


@functools.cache
def _no_postgres() -> str | None:
    try:
        import psycopg
    except ImportError as error:
        return f"psycopg cannot be imported: {error}"
    try:
        with psycopg.connect(_postgres_url(), connect_timeout=3, autocommit=True) as connection:
            allowed = connection.execute(
                "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.Error as error:
        return f"no PostgreSQL at {_postgres_url()}: {' '.join(str(error).split())}"
    return None if allowed and allowed[0] else f"the user of {_postgres_url()} may not create databases"


@functools.cache
def _no_browser() -> str | None:
    return (
        None if _browser() else f"no Chromium: none of {', '.join(BROWSERS)} on the path, nor TRAGHETTO_TEST_CHROMIUM"
    )


@functools.cache
def _no_gpu() -> str | None:
    import torch

    return None if torch.cuda.is_available() else "torch sees no CUDA device"


@functools.cache
def _no_weights() -> str | None:
    folder = Path(__file__).parents[1] / "model" / "weights" / "it-en" / "default"
    return None if (folder / "card.json").is_file() else f"{folder} holds no model version"


@functools.cache
def _no_native() -> str | None:
    from model.kernels.native_library import load_library

    return None if load_library("can_decode") else "the C files are not compiled, or this CPU has no AVX2"


@functools.cache
def _no_avx512() -> str | None:
    from model.kernels.native_library import load_library

    return None if load_library("can_train_bf16") else "train_bf16.c is not compiled, or this CPU has no AVX-512"


hypothesis.settings.register_profile("traghetto", deadline=None)
hypothesis.settings.load_profile("traghetto")
"""No test is about how long something takes: machines are shared."""

NEEDS: dict[str, Callable[[], str | None]] = {
    "corpus": _no_corpus,
    "postgres": _no_postgres,
    "browser": _no_browser,
    "gpu": _no_gpu,
    "weights": _no_weights,
    "native": _no_native,
    "avx512": _no_avx512,
}
"""Marker -> why a test with it cannot run here, or None when it can."""


def _postgres_url() -> str:
    return os.environ.get("TRAGHETTO_TEST_POSTGRES_URL") or DEFAULT_POSTGRES_URL


def _browser() -> str | None:
    named = os.environ.get("TRAGHETTO_TEST_CHROMIUM")
    return next((path for name in ([named] if named else BROWSERS) if name and (path := shutil.which(name))), None)


def required() -> frozenset[str]:
    """The needs that TRAGHETTO_REQUIRE names.

    Raises:
        pytest.UsageError: it names something that is not a need; a misspelt one would require nothing.
    """
    names = frozenset(filter(None, (name.strip() for name in os.environ.get("TRAGHETTO_REQUIRE", "").split(","))))
    if unknown := sorted(names - set(NEEDS)):
        raise pytest.UsageError(f"TRAGHETTO_REQUIRE names {', '.join(unknown)}; known: {', '.join(NEEDS)}")
    return names


def need(name: str) -> None:
    """Skip the running test because `name` is absent, or fail it when TRAGHETTO_REQUIRE names it."""
    reason = NEEDS[name]()
    if reason is None:
        return
    if name in required():
        pytest.fail(f"TRAGHETTO_REQUIRE names {name}, but {reason}", pytrace=False)
    pytest.skip(f"needs {name}: {reason}")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a misspelt TRAGHETTO_REQUIRE before anything runs; let what is started here take Ctrl-C.

    A shell that starts the tests in its background has them ignore SIGINT, and so would all their programs.
    """
    del config
    required()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header(config: pytest.Config) -> str:
    """One line at the top of every run: what must not be skipped."""
    del config
    return f"traghetto: required here: {', '.join(sorted(required())) or 'nothing (absent parts are skipped)'}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many workers `-n auto` starts: one for each core that may be used."""
    del config
    from model.kernels.cores import usable_cores

    return min(usable_cores(), MAX_WORKERS)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Parallel workers begin with what takes longest, so that it does not end the run alone."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Check the needs of a test by its markers, before its fixtures are made."""
    for name in NEEDS:
        if item.get_closest_marker(name):
            need(name)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """The same random numbers in every run, and whichever tests run before."""
    random.seed(SEED)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(SEED)
    if (torch := sys.modules.get("torch")) is not None and hasattr(torch, "manual_seed"):
        torch.manual_seed(SEED)


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tests see no settings of the person who runs them; what addresses the tests themselves stays."""
    for variable in list(os.environ):
        keep = variable in ("TRAGHETTO_REQUIRE", "TRAGHETTO_CORPUS_DIR") or variable.startswith("TRAGHETTO_TEST_")
        if variable.startswith("TRAGHETTO_") and not keep:
            monkeypatch.delenv(variable)
    yield


@pytest.fixture(scope="session")
def corpus_dir() -> Path:
    """The folder of the training corpus."""
    need("corpus")
    return Path(os.environ["TRAGHETTO_CORPUS_DIR"])


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """URL of a PostgreSQL server: tests create databases of their own there, and touch no other."""
    need("postgres")
    return _postgres_url()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser."""
    need("browser")
    return _browser() or ""


TINY_TEXT = (
    "Il gatto dorme sul divano.", "Vorrei un bicchiere d'acqua, per favore.", "Domani andiamo al mare con gli amici.",
    "Quanto costa questo libro?", "Sono già stato a Roma due volte.", "Non so perché non è venuta!",
    "The cat sleeps on the sofa.", "I would like a glass of water, please.", "How much is this book?",
    "I have already been to Rome twice.", "I don't know why she did not come!", "We are going to the sea tomorrow.",
)  # fmt: skip


@pytest.fixture(scope="session")
def tiny_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with an untrained model of 80,000 weights, as versions `default` and `second` of it-en.

    Its translations are noise, but always the same noise. Its layout is one that decode.c knows.
    """
    import torch

    from model.config import ModelConfig
    from model.network.seq2seq import Seq2Seq
    from model.text.ids import EOS
    from model.versions import store
    from training.data.subwords import train_subwords

    subwords = train_subwords(list(TINY_TEXT) * 3, 380, threads=1)
    torch.manual_seed(SEED)
    sizes = {"embedding_size": 32, "encoder_layers": 1, "encoder_hidden_size": 32, "decoder_hidden_size": 64}
    model = Seq2Seq(ModelConfig(subwords.vocab_size, subwords.vocab_size, **sizes)).eval()
    with torch.no_grad():
        model.output.bias[EOS] = 1.0  # or it would babble up to the longest length allowed
    folder = tmp_path_factory.mktemp("tiny")
    for version, bleu in (("default", 12.5), ("second", 25.0)):
        card = {"scores": {"test": {"bleu": bleu, "chrf": 2 * bleu}}, "data": {"tiny": len(TINY_TEXT)}}
        store.save(folder / "models", "it-en", version, model, (subwords, subwords), card)
    return folder


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """The address of an S3 server, as moto plays it in this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_url(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty store of versions in S3; what its clients need is in the environment."""
    import fsspec

    for name, value in {"ENDPOINT_URL": s3_address, "ACCESS_KEY_ID": "anybody", "SECRET_ACCESS_KEY": "not-so-secret",
                        "DEFAULT_REGION": S3_REGION}.items():  # fmt: skip
        monkeypatch.setenv(f"AWS_{name}", value)
    bucket = f"traghetto-{uuid.uuid4().hex[:8]}"
    fsspec.filesystem("s3", skip_instance_cache=True, client_kwargs={"region_name": S3_REGION}).mkdir(bucket)
    return f"s3://{bucket}/models"


@pytest.fixture(params=["folder", "s3"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store of versions: a folder, or S3."""
    if request.param == "s3":
        return str(request.getfixturevalue("s3_url"))
    (tmp_path / "store").mkdir()
    return f"file://{tmp_path / 'store'}"
