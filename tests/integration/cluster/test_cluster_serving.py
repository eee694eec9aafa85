"""`traghetto serve --cluster` with a real Ray: it answers as one server does, and goes on when replicas die."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from cluster_kit import Cluster, end
from corrections_kit import draft
from patience import wait_until
from prometheus_client.parser import text_string_to_metric_families

from app.cluster.gathered_metrics import TELL_EVERY_S

pytestmark = [pytest.mark.weights, pytest.mark.long, pytest.mark.timeout(400)]

TEXTS = [
    "Il treno per Udine parte alle sette.",
    "Abbiamo comprato il pane e il latte.",
    "Domani non posso venire al lavoro.",
    "La porta della cantina è chiusa a chiave.",
    "Mia sorella studia ingegneria a Trieste.",
    "Quanto costa questo vino rosso?",
]
CLIENTS, ROUNDS = 12, 25


def translate(client: httpx.Client, text: str) -> httpx.Response:
    return client.post("/v1/translate", json={"text": text, "source": "it", "target": "en"})


def text_of(answer: httpx.Response) -> str:
    return answer.json()["translations"][0]["text"]


def test_a_replica_killed_under_load_loses_nothing(cluster: Cluster) -> None:
    """Every request is answered, rightly; every correction that was acknowledged is there."""
    with cluster.client() as client:
        right = {text: text_of(translate(client, text)) for text in TEXTS}
    statuses: list[int] = []
    stored: list[str] = []
    wrong: list[str] = []
    half_way = threading.Barrier(CLIENTS + 1)

    def ask(number: int) -> None:
        with cluster.client() as client:
            for turn in range(ROUNDS):
                if turn == ROUNDS // 2:
                    half_way.wait(120)
                text = TEXTS[(number + turn) % len(TEXTS)]
                answer = translate(client, text)
                statuses.append(answer.status_code)
                if text_of(answer) != right[text]:
                    wrong.append(answer.text)
                if turn % 5 == 0:
                    words = f"The bread of client {number} costs {turn} euros."
                    made = client.post("/v1/corrections", json=draft(words, "Il pane costa."))
                    assert made.status_code in (201, 503), made.text
                    if made.status_code == 201:
                        stored.append(made.json()["id"])

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(ask, number) for number in range(CLIENTS)]
        half_way.wait(120)
        cluster.kill_one()
        for one in clients:
            one.result()
    assert Counter(statuses) == {200: CLIENTS * ROUNDS}
    assert not wrong
    assert stored
    with cluster.client() as client:
        assert all(client.get(f"/v1/corrections/{id}").status_code == 200 for id in stored)
    wait_until(lambda: len(cluster.replicas()) == 2, "the dead replica is replaced", 120)


def test_a_promotion_reaches_every_replica_without_an_error(cluster: Cluster) -> None:
    """Both replicas answer with the new version in the end; nobody who asks meanwhile gets anything but 200."""
    version, seen, stop = "stan-2018-attention", [], threading.Event()

    def ask() -> None:
        with cluster.client() as client:
            while not stop.is_set():
                answer = translate(client, TEXTS[0])
                seen.append((answer.status_code, answer.json()["translations"][0]["model_version"]))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        with cluster.client() as client:
            assert client.post(f"/v1/models/it-en/{version}/promote").status_code == 200
            wait_until(lambda: {name for _, name in seen[-40:]} == {version} and len(seen) > 40, "all have it", 60)
            assert client.post("/v1/models/it-en/rollback").status_code == 200
            wait_until(lambda: {name for _, name in seen[-40:]} == {"default"}, "all are back", 60)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {status for status, _ in seen} == {200}


def test_dialects_keys_and_addresses_are_as_on_one_machine(cluster: Cluster) -> None:
    with cluster.client() as client:
        assert client.get("/health/ready").json()["status"] == "ready"
        said = client.post("/translate", data={"q": TEXTS[0], "source": "it", "target": "en"})
        assert said.json()["translatedText"] == text_of(translate(client, TEXTS[0]))
    with httpx.Client(base_url=cluster.url, timeout=60) as stranger:
        assert stranger.get("/v1/models").status_code == 401
        too_long = translate(stranger, "a" * 20_000)
        assert (too_long.status_code, too_long.headers["content-type"]) == (422, "application/problem+json")


def test_whichever_replica_is_asked_tells_the_metrics_of_all(cluster: Cluster) -> None:
    def counts() -> dict[str, float]:
        """Answers of one route, by replica."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(client.get("/metrics").text):
            for sample in family.samples:
                found.setdefault(sample.labels["replica"], 0.0)
                if sample.name == "traghetto_requests_total" and sample.labels["route"] == "/v2/translate":
                    found[sample.labels["replica"]] += sample.value
        return found

    def both_have_answered_and_all_is_counted() -> bool:
        nonlocal asked
        for text in TEXTS:
            said = client.post("/v2/translate", json={"text": [text], "source_lang": "IT", "target_lang": "EN"})
            assert said.status_code == 200, said.text
            asked += 1
        time.sleep(2 * TELL_EVERY_S)
        found = counts()
        return len(found) == 2 and all(found.values()) and sum(found.values()) == asked

    asked = 0
    with cluster.client() as client:
        wait_until(both_have_answered_and_all_is_counted, "two replicas are told of", 120)


def test_sigterm_answers_what_was_accepted(cluster: Cluster) -> None:
    """The last of these tests: nothing is left of the cluster after it."""
    answers: list[int] = []
    begun: list[int] = []

    def ask(number: int) -> None:
        with cluster.client() as client:
            begun.append(number)
            long = {"text": TEXTS * 10, "source": "it", "target": "en", "beam": 8}
            answers.append(client.post("/v1/translate", json=long).status_code)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(begun) == 6, "all have asked")
    time.sleep(0.2)
    assert end(cluster) == 0
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert set(answers) <= {200, 503}
    assert 200 in answers
