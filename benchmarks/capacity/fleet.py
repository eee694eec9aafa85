"""Replicas behind a router, and the clients who ask: what a simulation of a minute of traffic finds.

The router costs nothing, as nginx nearly does, unless there is a `Front`: proxies that take turns of their own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import simpy

from benchmarks.capacity.replica import ANSWERED, LOST, Events, Replica, Request
from benchmarks.capacity.service import Service
from benchmarks.suites.timing import percentile


@dataclass(frozen=True)
class Front:
    """What stands before the replicas, on cores of its own. Times in seconds of processor time."""

    proxies: int = 0
    """Each is an event loop, which does one thing after the other; a client comes to any of them. 0: none."""
    proxy_s: float = 0.0
    """What a request takes of the proxy that it goes through, its answer included."""
    extra_s: float = 0.0
    """What a request takes of its replica beside what it takes of a server without a front."""


@dataclass(frozen=True)
class Plan:
    """What happens in one simulation. Times in seconds."""

    per_s: float
    """Requests a second on average."""
    replicas: int = 1
    cores: int = 1
    """Of each replica."""
    seconds: float = 60.0
    warm_s: float = 0.0
    """Requests that come before are not counted."""
    per_request: int = 1
    """Sentences."""
    burst: float = 1.0
    """So many times more in `burst_s` of every `burst_every_s`; the average stays."""
    burst_s: float = 5.0
    burst_every_s: float = 20.0
    lose_at: float = math.inf
    """When a replica is lost."""
    detect_s: float = 1.0
    """How long the router still sends to it."""
    replace_s: float = 30.0
    """After the loss another takes its place."""
    promote_at: float = math.inf
    """When a version is promoted; all replicas load it, `promote_gap_s` after each other."""
    promote_gap_s: float = 0.0
    most_replicas: int = 0
    """Up to which more are started, when more than `target` requests a replica are under way for `scale_after_s`."""
    target: float = 8.0
    scale_after_s: float = 10.0
    scale_start_s: float = 30.0
    """From the decision until a new one answers."""
    tries: int = 20
    try_again_s: float = 0.1
    """Clients try again what got no answer, with twice the pause each time, up to 2 s."""
    batching: bool = True
    clients: int = 0
    """If given, nothing comes at random: so many ask again as soon as they have their answer."""
    front: Front = Front()
    seed: int = 1


@dataclass
class Found:
    """What became of the requests."""

    requests: list[Request]
    seconds: float
    """In which they came."""
    busy: float
    """Share of the cores' time, of the replicas that there were at the end."""
    replicas: list[tuple[float, int]] = field(default_factory=list)
    """When there were how many."""
    warm_s: float = 0.0
    proxies_busy: float = 0.0
    """Share of the proxies' time; 0 where there are none."""

    def waits_ms(self) -> list[float]:
        """Of who got an answer."""
        return [1000 * (one.ended - one.asked) for one in self.counted if one.outcome == ANSWERED]

    @property
    def counted(self) -> list[Request]:
        """Requests that came when all was warm."""
        return [one for one in self.requests if one.asked >= self.warm_s]

    def ms(self, share: float) -> float:
        """The wait that `share` of the answers do not exceed."""
        return percentile(self.waits_ms() or [0.0], share)

    def count(self, *outcomes: str) -> int:
        """Requests with one of these outcomes."""
        return sum(one.outcome in outcomes for one in self.counted)

    @property
    def per_s(self) -> float:
        """Sentences answered a second, while requests came."""
        ended = [one for one in self.requests if one.outcome == ANSWERED and self.warm_s <= one.ended <= self.seconds]
        answered = sum(len(one.tokens) for one in ended)
        return answered / (self.seconds - self.warm_s)

    @property
    def tried_again(self) -> int:
        """Requests that needed more than one try."""
        return sum(one.tries > 1 for one in self.counted)


class Fleet:
    """One simulation."""

    def __init__(self, service: Service, plan: Plan) -> None:
        self.service = replace(service, request_s=service.request_s + plan.front.extra_s)
        self.plan = plan
        self.env = simpy.Environment()
        self._rng = random.Random(plan.seed)
        self._proxies = [simpy.Resource(self.env) for _ in range(plan.front.proxies)]
        self._proxied = 0
        """Requests that went through one."""
        self.replicas = [self._new() for _ in range(plan.replicas)]
        """Those that the router knows."""
        self.requests: list[Request] = []
        self.sizes = [(0.0, plan.replicas)]
        self._coming = 0
        """Replicas that are being started."""

    def run(self) -> Found:
        """Let the time go by until every request has its outcome."""
        plan, env = self.plan, self.env
        clients: list[simpy.Event] = []
        arriving = env.process(self._crowd() if plan.clients else self._arrive(clients))
        for moment, what in ((plan.lose_at, self._lose), (plan.promote_at, self._promote)):
            if moment < math.inf:
                env.process(self._at(moment, what))
        if plan.most_replicas > plan.replicas:
            env.process(self._scale())
        env.run(arriving)
        env.run(env.all_of(clients))
        busy = sum(one.cores.busy_s for one in self.replicas) / (env.now * plan.cores * len(self.replicas))
        proxied_s = self._proxied * plan.front.proxy_s / max(1, len(self._proxies))
        return Found(self.requests, plan.seconds, busy, self.sizes, plan.warm_s, proxied_s / env.now)

    def _new(self) -> Replica:
        return Replica(self.env, self.service, self.plan.cores, self._rng, self.plan.batching)

    def _at(self, moment: float, what: Callable[[], Events]) -> Events:
        yield self.env.timeout(moment)
        yield from what()

    def _rate(self, now: float) -> float:
        """Requests a second at this moment: evenly, or by turns more and less."""
        plan = self.plan
        if plan.burst == 1.0:
            return plan.per_s
        quiet = (plan.burst_every_s - plan.burst * plan.burst_s) / (plan.burst_every_s - plan.burst_s)
        return plan.per_s * (plan.burst if now % plan.burst_every_s < plan.burst_s else quiet)

    def _arrive(self, clients: list[simpy.Event]) -> Events:
        """Requests come at random moments; thinned out from the highest rate (Lewis & Shedler 1979)."""
        most = self.plan.per_s * max(1.0, self.plan.burst)
        while True:
            yield self.env.timeout(self._rng.expovariate(most))
            if self.env.now >= self.plan.seconds:
                return
            if self._rng.random() * most <= self._rate(self.env.now):
                clients.append(self.env.process(self._ask(self._request())))

    def _crowd(self) -> Events:
        """Clients of whom each asks again when it has its answer."""
        yield self.env.all_of([self.env.process(self._ask_on()) for _ in range(self.plan.clients)])

    def _ask_on(self) -> Events:
        while self.env.now < self.plan.seconds:
            yield from self._ask(self._request())

    def _request(self) -> Request:
        """A new one, of now."""
        tokens = self._rng.choices(self.service.tokens, k=self.plan.per_request)
        self.requests.append(Request(len(self.requests), tokens, self.env.now))
        return self.requests[-1]

    def _ask(self, request: Request) -> Events:
        """One client: what got no answer is tried again."""
        pause = self.plan.try_again_s
        while True:
            request.tries += 1
            request.done = self.env.event()
            self._send(request)
            request.outcome = yield request.done
            request.ended = self.env.now
            if request.outcome != LOST or request.tries == self.plan.tries:
                return
            yield self.env.timeout(pause)
            pause = min(2.0, 2 * pause)

    def _send(self, request: Request) -> None:
        if self._proxies:
            self.env.process(self._pass_on(request))
        else:
            self._route(request)

    def _pass_on(self, request: Request) -> Events:
        """Through a proxy, drawn at random, in its turn."""
        with self._rng.choice(self._proxies).request() as turn:
            yield turn
            yield self.env.timeout(self.plan.front.proxy_s)
        self._proxied += 1
        self._route(request)

    def _route(self, request: Request) -> None:
        """To the one of two, drawn at random, with fewer requests under way (Mitzenmacher 2001), as Ray Serve does."""
        chosen = self._rng.sample(self.replicas, min(2, len(self.replicas)))
        if not chosen:  # nobody is there
            request.end(LOST)
            return
        min(chosen, key=lambda one: one.in_flight).submit(request)

    def _lose(self) -> Events:
        """One replica is gone; the router finds out, and another comes in its place."""
        lost, plan = self.replicas[0], self.plan
        lost.lose()
        yield self.env.timeout(plan.detect_s)
        self._change(lambda: self.replicas.remove(lost))
        yield self.env.timeout(max(0.0, plan.replace_s - plan.detect_s))
        self._change(lambda: self.replicas.append(self._new()))

    def _promote(self) -> Events:
        for replica in list(self.replicas):
            replica.load_version()
            if self.plan.promote_gap_s:
                yield self.env.timeout(self.plan.promote_gap_s)

    def _scale(self) -> Events:
        """Every second: are more requests under way than the replicas there are should have, and for how long."""
        since, plan = 0.0, self.plan
        while self.env.now < plan.seconds:
            yield self.env.timeout(1.0)
            wanted = min(plan.most_replicas, math.ceil(sum(one.in_flight for one in self.replicas) / plan.target))
            more = wanted - len(self.replicas) - self._coming
            since = since + 1.0 if more > 0 else 0.0
            if since >= plan.scale_after_s:
                since, self._coming = 0.0, self._coming + more
                for _ in range(more):
                    self.env.process(self._join())

    def _join(self) -> Events:
        yield self.env.timeout(self.plan.scale_start_s)
        self._coming -= 1
        self._change(lambda: self.replicas.append(self._new()))

    def _change(self, how: Callable[[], object]) -> None:
        how()
        self.sizes.append((self.env.now, len(self.replicas)))
