"""Count what the service does, for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client import Counter as Count
from prometheus_client.core import GaugeMetricFamily

from overproof.inference.cascade import Unverified

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
EVENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
REJECTED = (429, 503)

Gauges = Callable[[], Iterable[tuple[str, str, Mapping[str, str], float]]]


class _State:
    """Values that are looked up when somebody asks: name, help text, labels and value of each."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterable[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        for name, description, labels, value in self._gauges():
            family = families.setdefault(name, GaugeMetricFamily(name, description, labels=list(labels)))
            family.add_metric(list(labels.values()), value)
        return families.values()


class Metrics:
    """One service's metrics; two services in one process share none.

    Parameters
    ----------
    gauges
        What has a value at any time: (name, help text, labels, value).
    """

    def __init__(self, gauges: Gauges) -> None:
        self._registry = registry = CollectorRegistry()
        registry.register(_State(gauges))
        self._seconds = Histogram(
            "overproof_request_seconds",
            "Seconds from a request's head to the end of its answer",
            ["endpoint"],
            buckets=SECONDS,
            registry=registry,
        )
        self._batch = Histogram(
            "overproof_batch_events", "Events of one call of a model", ["model"], buckets=EVENTS, registry=registry
        )
        self._requests = self._count("requests", "Requests by endpoint and status", "endpoint", "code")
        self._rejected = self._count("rejected", "Requests that were refused for now: 429, 503", "code")
        self._verdicts = self._count("verdicts", "Events by how they ended", "label", "status", "decided_by")
        self._escalated = self._count("escalated", "Events that the full model was asked about")
        self._failures = self._count("full_failures", "Times that the full model did not answer")
        self._reloads = self._count("reloads", "Times that the bundle was opened again", "outcome")
        self._excepted = self._count("excepted", "Alerts that a rule silences", "rule")
        self._unverified = self._count(
            "unverified_events", "Events that the full model should have decided and did not", "why"
        )
        for why in asdict(Unverified()):
            self._unverified.labels(why)
        for outcome in ("swapped", "kept"):
            self._reloads.labels(outcome)
        for code in REJECTED:
            self._rejected.labels(str(code))

    def _count(self, name: str, description: str, *labels: str) -> Count:
        return Count(f"overproof_{name}", description, labels, registry=self._registry)

    def request(self, endpoint: str, code: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._seconds.labels(endpoint).observe(seconds)
        self._requests.labels(endpoint, str(code)).inc()
        if code in REJECTED:
            self._rejected.labels(str(code)).inc()

    def batch(self, model: str) -> Callable[[int], None]:
        """Return what counts the events of a call of `model`."""
        return self._batch.labels(model).observe

    def verdicts(self, verdicts: Sequence[Mapping[str, Any]]) -> None:
        """Count events that were judged."""
        for (label, status, by), count in Counter((v["label"], v["status"], v["decided_by"]) for v in verdicts).items():
            self._verdicts.labels(label or "", status, by).inc(count)
        for rule, count in Counter(v["excepted"] for v in verdicts if "excepted" in v).items():
            self._excepted.labels(rule).inc(count)
        for why, count in asdict(Unverified.among(verdicts)).items():
            self._unverified.labels(why).inc(count)

    def asked(self, events: int) -> None:
        """Count events that the full model was asked about."""
        self._escalated.inc(events)

    def full_failed(self) -> None:
        """Count a call that the full model did not answer."""
        self._failures.inc()

    def reloaded(self, outcome: str) -> None:
        """Count a reload: `swapped` or `kept`."""
        self._reloads.labels(outcome).inc()

    def exposition(self) -> bytes:
        """Return all of it in Prometheus's text format."""
        return generate_latest(self._registry)
