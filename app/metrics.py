"""What Prometheus reads at `/metrics`. One registry for each app; labels never hold texts, keys or addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SENTENCES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
UNMATCHED = "unmatched"
"""Route label of addresses that no route serves: a scanner must not create labels."""


class Metrics:
    """All counters and histograms of one app. Safe to use from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._add_requests()
        self._add_engine()
        self._add_loop()
        self._request_children: dict[tuple[str, str, int], Counter] = {}
        self._character_children: dict[str, Counter] = {}
        self._seconds_children: dict[tuple[str, str], Histogram] = {}
        self.gather: Callable[[bytes], bytes] | None = None
        """Where several processes answer at one address: makes of what this one renders the text of all."""

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"traghetto_{name}", about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"traghetto_{name}", about, labels, registry=self.registry)

    def _seconds(self, name: str, about: str, *labels: str) -> Histogram:
        return Histogram(f"traghetto_{name}", about, labels, buckets=SECONDS, registry=self.registry)

    def _add_requests(self) -> None:
        """What tells of HTTP, and of what clients may."""
        self._requests = self._counter("requests", "HTTP requests answered.", "dialect", "route", "status")
        self._request_seconds = self._seconds("request_seconds", "Time to answer.", "dialect", "route")
        self._characters = self._counter(
            "characters", "Characters translated, by what clients are: key, anonymous or owner.", "client"
        )
        self._refused = self._counter("refused", "Requests refused by a rate or a quota, by its setting.", "limit")

    def _add_engine(self) -> None:
        """What tells of the queue, and of the network."""
        self.batch_sentences = Histogram(
            "traghetto_batch_sentences", "Sentences translated together.", buckets=SENTENCES, registry=self.registry
        )
        self.queue_seconds = self._seconds("queue_seconds", "Time a sentence waited for its batch.")
        self.inference_seconds = self._seconds("inference_seconds", "Time to translate a batch.")
        self.waiting_tokens = self._gauge("waiting_tokens", "Source tokens in the queue.")
        self.waiting_sentences = self._gauge("waiting_sentences", "Sentences in the queue.")
        self.failed_sentences = self._counter("failed_sentences", "Sentences that the model failed on.")
        self._sentences = self._counter("sentences", "Sentences translated.", "pair", "version")
        self._tokens = self._counter("source_tokens", "Source tokens translated.", "pair")
        self._retries = self._counter("retries", "Sentences searched for again, since a fault was seen.", "pair")
        self._warnings = self._counter("warnings", "Faults that sentences were answered with.", "pair", "warning")

    def _add_loop(self) -> None:
        """What tells of corrections, of memory, and of models that are exchanged."""
        self.memory_rows = self._gauge("memory_rows", "Approved corrections in memory.")
        self._memory_hits = self._counter("memory_hits", "Sentences answered from memory.", "pair")
        self._models = self._gauge("model_info", "1 for each version that translates.", "pair", "version")
        self.swaps = self._counter("model_swaps", "Versions that took over from others.", "pair")
        self.refusals = self._counter("model_refusals", "Versions that were to take over and could not.", "pair")
        self.store_failures = self._counter("model_store_failures", "Looks at the store of models that failed.")
        self._background = self._counter("background_failures", "Failures of tasks that run all the time.", "task")
        self._corrections = self._counter(
            "corrections", "Corrections submitted, refused by the checks, approved, rejected and reopened.",
            "pair", "outcome",
        )  # fmt: skip

    def request(self, dialect: str, route: str, status: int, seconds: float) -> None:
        """One answered request. Children are kept here: looking them up by label costs more than counting."""
        counter = self._request_children.get((dialect, route, status))
        if counter is None:
            counter = self._requests.labels(dialect, route, str(status))
            self._request_children[dialect, route, status] = counter
        counter.inc()
        histogram = self._seconds_children.get((dialect, route))
        if histogram is None:
            histogram = self._seconds_children[dialect, route] = self._request_seconds.labels(dialect, route)
        histogram.observe(seconds)

    def translated(self, pair: str, version: str, sentences: int, tokens: int, *, again: bool = False) -> None:
        """One batch that succeeded, `again` if it was the second search for its sentences."""
        if again:
            self._retries.labels(pair).inc(sentences)
            return
        self._sentences.labels(pair, version).inc(sentences)
        self._tokens.labels(pair).inc(tokens)

    def warned(self, pair: str, warning: str) -> None:
        """One sentence was answered with a fault that is told."""
        self._warnings.labels(pair, warning).inc()

    def serving(self, versions: Mapping[str, str]) -> None:
        """The versions that translate now, by pair."""
        self._models.clear()
        for pair, version in versions.items():
            self._models.labels(pair, version).set(1)

    def memory_hit(self, pair: str) -> None:
        """One sentence, or whole text, answered by an approved correction."""
        self._memory_hits.labels(pair).inc()

    def correction(self, pair: str, outcome: str) -> None:
        """One correction was `submitted`, `refused`, `approved` or `rejected`."""
        self._corrections.labels(pair, outcome).inc()

    def limited(self, limit: str) -> None:
        """One request was refused by the setting `limit`."""
        self._refused.labels(limit).inc()

    def characters(self, client: str, count: int) -> None:
        """So many were translated for a client of this kind."""
        child = self._character_children.get(client)
        if child is None:
            child = self._character_children[client] = self._characters.labels(client)
        child.inc(count)

    def background_failed(self, task: str) -> None:
        """A task that runs all the time has failed, and will be begun again."""
        self._background.labels(task).inc()

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
