"""What `/metrics` says: how the relay is, for Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily

from posthouse import __version__
from posthouse.admin import Administration
from posthouse.observe import Histogram, Row, rows
from posthouse.settings import Settings

Family = TypeVar("Family", CounterMetricFamily, GaugeMetricFamily)

CONTENT_TYPE = CONTENT_TYPE_LATEST
_COUNTERS = {
    "accepted": ("posthouse_messages_accepted", "Messages answered with 250."),
    "sessions": ("posthouse_sessions", "SMTP sessions of clients."),
    "connections": ("posthouse_connections", "SMTP connections to next hops."),
}
_GAUGES = {
    "sessions_open": ("posthouse_sessions_open", "SMTP sessions of clients that are open."),
    "connections_open": ("posthouse_connections_open", "SMTP connections to next hops that are open."),
}
_OUTCOMES = ("delivered", "deferred", "failed")


def exposition(admin: Administration, settings: Settings) -> bytes:
    """For whoever may see the queue."""
    families = [*_of_store(admin), *_of_workers(rows(settings.data_dir)), *_of_certificates(admin, settings)]
    return generate_latest(_Collected(families))


class _Collected:
    """What `generate_latest` takes."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _of_workers(counted: list[Row]) -> Iterator[Metric]:
    """With the number of each: there are as many as the settings say."""
    for cell, (name, text) in _COUNTERS.items():
        yield _each(CounterMetricFamily(name, text, labels=("worker",)), counted, cell)
    for cell, (name, text) in _GAUGES.items():
        yield _each(GaugeMetricFamily(name, text, labels=("worker",)), counted, cell)
    outcomes = CounterMetricFamily("posthouse_recipients", "Outcomes of attempts.", labels=("worker", "outcome"))
    refused = CounterMetricFamily("posthouse_refused", "By enhanced status code.", labels=("worker", "status"))
    for number, row in enumerate(counted):
        for outcome in _OUTCOMES:
            outcomes.add_metric((str(number), outcome), row.counts[outcome])
        for status, times in row.refused.items():
            refused.add_metric((str(number), status), times)
    yield outcomes
    yield refused
    yield _histogram("posthouse_commit_seconds", "Transactions of the store.", counted, lambda row: row.commit_seconds)
    yield _histogram("posthouse_commit_works", "Works in a transaction.", counted, lambda row: row.commit_works)
    yield _histogram(
        "posthouse_delivery_seconds",
        "From acceptance to each delivery.",
        counted,
        lambda row: row.delivery_seconds,
    )


def _each(family: Family, counted: list[Row], cell: str) -> Family:
    for number, row in enumerate(counted):
        family.add_metric((str(number),), row.counts[cell])
    return family


def _histogram(
    name: str, text: str, counted: list[Row], histogram_of: Callable[[Row], Histogram]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=("worker",))
    for number, row in enumerate(counted):
        histogram = histogram_of(row)
        bounds = (*map(str, map(float, histogram.bounds)), "+Inf")
        family.add_metric((str(number),), list(zip(bounds, histogram.counts, strict=True)), histogram.sum)
    return family


def _of_store(admin: Administration) -> Iterator[Metric]:
    report = admin.health.report()
    yield InfoMetricFamily("posthouse_build", "What runs.", value={"version": __version__})
    queue = GaugeMetricFamily("posthouse_queue_recipients", "What waits or is held.", labels=("state",))
    for state, number in report["queue"].items():
        queue.add_metric((state,), number)
    yield queue
    yield GaugeMetricFamily(
        "posthouse_queue_oldest_seconds", "How long the oldest message waits.", admin.health.oldest()
    )
    alive = sum(worker["alive"] for worker in report["workers"])
    yield GaugeMetricFamily("posthouse_workers_alive", "Of all nodes that share the store.", alive)


def _of_certificates(admin: Administration, settings: Settings) -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "posthouse_certificate_not_after_seconds",
        "When it expires, in Unix time, by listener or outbound connector.",
        labels=("shown_by",),
    )
    for where, identity in admin.health.certificates(settings):
        family.add_metric((where,), identity.certificate.not_valid_after_utc.timestamp())
    yield family
