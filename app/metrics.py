"""What Prometheus reads at `/metrics`. One registry for each app; labels never hold texts, keys or addresses."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
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
        self._requests = Counter(
            "traghetto_requests", "HTTP requests answered.", ["route", "status"], registry=self.registry
        )
        self._request_seconds = Histogram(
            "traghetto_request_seconds", "Time to answer.", ["route"], buckets=SECONDS, registry=self.registry
        )
        self.batch_sentences = Histogram(
            "traghetto_batch_sentences", "Sentences translated together.", buckets=SENTENCES, registry=self.registry
        )
        self.queue_seconds = Histogram(
            "traghetto_queue_seconds", "Time a sentence waited for its batch.", buckets=SECONDS, registry=self.registry
        )
        self.inference_seconds = Histogram(
            "traghetto_inference_seconds", "Time to translate a batch.", buckets=SECONDS, registry=self.registry
        )
        self.waiting_tokens = Gauge("traghetto_waiting_tokens", "Source tokens in the queue.", registry=self.registry)
        self.waiting_sentences = Gauge("traghetto_waiting_sentences", "Sentences in the queue.", registry=self.registry)
        self.failed_sentences = Counter(
            "traghetto_failed_sentences", "Sentences that the model failed on.", registry=self.registry
        )
        self._sentences = Counter(
            "traghetto_sentences", "Sentences translated.", ["pair", "version"], registry=self.registry
        )
        self._retries = Counter(
            "traghetto_retries", "Sentences searched for again, since a fault was seen.", ["pair"],
            registry=self.registry,
        )  # fmt: skip
        self._tokens = Counter("traghetto_source_tokens", "Source tokens translated.", ["pair"], registry=self.registry)
        self._route_children: dict[tuple[str, int], Counter] = {}
        self._seconds_children: dict[str, Histogram] = {}
        self._add_loop()

    def _add_loop(self) -> None:
        """What tells of corrections, of memory, and of models that are exchanged."""
        self.memory_rows = Gauge("traghetto_memory_rows", "Approved corrections in memory.", registry=self.registry)
        self._memory_hits = Counter(
            "traghetto_memory_hits", "Sentences answered from memory.", ["pair"], registry=self.registry
        )
        self.swaps = Counter(
            "traghetto_model_swaps", "Versions that took over from others.", ["pair"], registry=self.registry
        )
        self.refusals = Counter(
            "traghetto_model_refusals", "Versions that were to take over and could not.", ["pair"],
            registry=self.registry,
        )  # fmt: skip
        self._background = Counter(
            "traghetto_background_failures", "Failures of tasks that run all the time.", ["task"],
            registry=self.registry,
        )  # fmt: skip
        self._corrections = Counter(
            "traghetto_corrections",
            "Corrections submitted, refused by the checks, approved, rejected and reopened.",
            ["pair", "outcome"],
            registry=self.registry,
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """One answered request. Children are kept here: looking them up by label costs more than counting."""
        counter = self._route_children.get((route, status))
        if counter is None:
            counter = self._route_children[(route, status)] = self._requests.labels(route, str(status))
        counter.inc()
        histogram = self._seconds_children.get(route)
        if histogram is None:
            histogram = self._seconds_children[route] = self._request_seconds.labels(route)
        histogram.observe(seconds)

    def translated(self, pair: str, version: str, sentences: int, tokens: int, *, again: bool = False) -> None:
        """One batch that succeeded, `again` if it was the second search for its sentences."""
        if again:
            self._retries.labels(pair).inc(sentences)
            return
        self._sentences.labels(pair, version).inc(sentences)
        self._tokens.labels(pair).inc(tokens)

    def memory_hit(self, pair: str) -> None:
        """One sentence, or whole text, answered by an approved correction."""
        self._memory_hits.labels(pair).inc()

    def correction(self, pair: str, outcome: str) -> None:
        """One correction was `submitted`, `refused`, `approved` or `rejected`."""
        self._corrections.labels(pair, outcome).inc()

    def background_failed(self, task: str) -> None:
        """A task that runs all the time has failed, and will be begun again."""
        self._background.labels(task).inc()

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
