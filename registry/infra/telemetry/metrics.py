"""Prometheus metrics. Labels take few values: routes by name, never by path.

Several web processes count into files of one directory, which PROMETHEUS_MULTIPROC_DIR names before they start.
"""

import os
from functools import lru_cache
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

DIRECTORY_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_ROUTE: Final = ["route", "method", "status"]
_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"})

REQUESTS: Final = Counter("gati_registry_http_requests_total", "Requests answered.", _ROUTE)
REQUEST_SECONDS: Final = Histogram(
    "gati_registry_http_request_duration_seconds",
    "Time to answer a request.",
    _ROUTE,
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30),
)
BLOB_BYTES: Final = Counter("gati_registry_oci_blob_bytes_total", "Bytes of blobs moved.", ["direction"])
UPLOADS_INFLIGHT: Final = Gauge(
    "gati_registry_oci_uploads_inflight", "Upload requests whose body is being read.", multiprocess_mode="livesum"
)
POOL_IN_USE: Final = Gauge("gati_registry_db_pool_in_use", "Database connections in use.", multiprocess_mode="livesum")
POOL_SIZE: Final = Gauge("gati_registry_db_pool_size", "Database connections open.", multiprocess_mode="livesum")
QUEUE_DEPTH: Final = Gauge(
    "gati_registry_queue_depth", "Facts that wait for their handlers.", ["queue"], multiprocess_mode="livemostrecent"
)
SWEPT: Final = Counter("gati_registry_swept_total", "What the sweep removed.", ["kind"])
CHALLENGES: Final = Counter("gati_registry_challenges_total", "Requests without a credential that needed one.")
DENIALS: Final = Counter("gati_registry_denials_total", "Requests of known callers that were refused.")


def count(route: str, method: str, status: int, seconds: float) -> None:
    """One request was answered in `seconds`; methods that HTTP does not know count as one."""
    requests, duration = _of(route, method if method in _METHODS else "other", status)
    requests.inc()
    duration.observe(seconds)


def count_answered(route: str, method: str, times: int) -> None:
    """So many requests were answered from memory: they have no durations."""
    _of(route, method, 200)[0].inc(times)


@lru_cache(maxsize=4096)
def _of(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    """The two series of these labels, looked up once."""
    labels = (route, method, str(status))
    return REQUESTS.labels(*labels), REQUEST_SECONDS.labels(*labels)


def record_pool(in_use: int, size: int) -> None:
    """How many database connections this process uses, and has."""
    POOL_IN_USE.set(in_use)
    POOL_SIZE.set(size)


def exposition() -> bytes:
    """The metrics of all web processes in Prometheus' text format."""
    return generate_latest(_collected())


def listen(host: str, port: int) -> None:
    """Serve the metrics on a port of their own, from a thread, until the process ends.

    Raises:
        OSError: the port cannot be had.
    """
    start_http_server(port, addr=host, registry=_collected())


def forget(process: int) -> None:
    """Leave the gauges of a process that has ended out of the sums; its counts stay."""
    if os.environ.get(DIRECTORY_VARIABLE):
        mark_process_dead(process)  # type: ignore[no-untyped-call]  # the library has no annotations here


def _collected() -> CollectorRegistry:
    if not os.environ.get(DIRECTORY_VARIABLE):
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # as above
    return registry
