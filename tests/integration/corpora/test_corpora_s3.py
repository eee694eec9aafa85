"""A corpus on S3, from a server of this machine: the same bytes as from folders, also after `kill -9`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from cli_kit import TIMEOUT_S, as_program, succeeded
from cli_kit import failed as fails
from corpora_kit import arguments, bytes_below, make_corpus, started
from moto.server import ThreadedMotoServer
from patience import wait_until

BUCKET = "corpora"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of an S3 server that keeps all in memory."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="module")
def environment(address: str, tiny_data_dir: Path) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1", "TRAGHETTO_DATA_DIR": str(tiny_data_dir), "TRAGHETTO_TORCH_THREADS": "2",
    }  # fmt: skip


@pytest.fixture(scope="module")
def store(address: str) -> Any:
    client = boto3.client(
        "s3", endpoint_url=address, aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
    )
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, store: Any) -> Path:
    """Here, and the same under `it/` in the bucket."""
    folder = make_corpus(tmp_path_factory.mktemp("corpus") / "it")
    for name, data in bytes_below(folder).items():
        store.put_object(Bucket=BUCKET, Key=f"it/{name}", Body=data)
    return folder


@pytest.fixture(scope="module")
def expected(corpus: Path, environment: dict[str, str]) -> dict[str, bytes]:
    target = corpus.parent / "en"
    succeeded(as_program(*arguments(corpus, target), **environment))
    return bytes_below(target)


def keys_below(store: Any, prefix: str) -> dict[str, bytes]:
    found = store.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    keys = [entry["Key"] for entry in found]
    return {key.removeprefix(prefix): store.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def test_a_bucket_into_a_bucket_killed_in_between(
    corpus: Path, expected: dict[str, bytes], store: Any, environment: dict[str, str]
) -> None:
    given = arguments(f"s3://{BUCKET}/it", f"s3://{BUCKET}/en")

    def shards() -> int:
        found = store.list_objects_v2(Bucket=BUCKET, Prefix="en/_traghetto/").get("Contents", [])
        return sum("-" in entry["Key"] for entry in found)

    with started(Path(environment["TRAGHETTO_DATA_DIR"]), given, **environment) as process:
        wait_until(lambda: shards() >= 5 or process.poll() is not None, "some shards are there", TIMEOUT_S)
        assert process.poll() is None
        process.kill()
    fails(as_program(*given, "--beam", "2", **environment), 1, "it was begun otherwise: beam 1, now 2")
    succeeded(as_program(*given, **environment))
    assert keys_below(store, "en/") == expected
    fails(as_program(*given, **environment), 1, "is there; --force")


def test_one_file_into_a_bucket_and_back(
    corpus: Path, expected: dict[str, bytes], store: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    succeeded(as_program(*arguments(corpus / "odd.it", f"s3://{BUCKET}/one/odd.en.gz"), **environment))
    succeeded(as_program(*arguments(f"s3://{BUCKET}/it/odd.it", tmp_path / "odd.en"), **environment))
    assert list(keys_below(store, "one/")) == ["odd.en.gz"]
    assert (tmp_path / "odd.en").read_bytes() == expected["odd.it"]


ABORTED = """
import sys
from app.corpora.files import places
with places.written(sys.argv[1]) as file:
    file.write(b"new" * 3_000_000)
    raise KeyError
"""


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_upload_that_does_not_end_leaves_what_was_there(
    environment: dict[str, str], store: Any, is_killed: bool
) -> None:
    store.put_object(Bucket=BUCKET, Key="old/a.txt", Body=b"old")
    code = ABORTED.replace("raise KeyError", "import os; os.kill(os.getpid(), 9)") if is_killed else ABORTED
    ended = subprocess.run(
        [sys.executable, "-c", code, f"s3://{BUCKET}/old/a.txt"], env={**os.environ, **environment},
        capture_output=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert ended.returncode == (-9 if is_killed else 1) and (is_killed or b"KeyError" in ended.stderr)
    assert keys_below(store, "old/") == {"a.txt": b"old"}


def test_what_is_not_there_is_named(environment: dict[str, str], store: Any, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "en", ignore_errors=True)
    for place in (f"s3://{BUCKET}/none", "s3://no-such-bucket/it"):
        fails(as_program(*arguments(place, tmp_path / "en"), **environment), 1, place, "no such file or folder")
