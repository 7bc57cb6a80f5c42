"""Prometheus metrics. Labels take few values: routes by name, never by path.

Several web processes count into files of one directory, which PROMETHEUS_MULTIPROC_DIR names before they start.
"""

import os
from typing import Final

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
)
from prometheus_client.multiprocess import MultiProcessCollector

DIRECTORY_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"

REQUESTS: Final = Counter("gati_registry_http_requests_total", "Requests answered.", ["route", "method", "status"])
REQUEST_SECONDS: Final = Histogram(
    "gati_registry_http_request_duration_seconds",
    "Time to answer a request.",
    ["route", "method"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30),
)
BLOB_BYTES: Final = Counter("gati_registry_oci_blob_bytes_total", "Bytes of blobs moved.", ["direction"])
POOL_IN_USE: Final = Gauge("gati_registry_db_pool_in_use", "Database connections in use.", multiprocess_mode="livesum")
POOL_SIZE: Final = Gauge("gati_registry_db_pool_size", "Database connections open.", multiprocess_mode="livesum")
SWEPT: Final = Counter("gati_registry_swept_total", "What the sweep removed.", ["kind"])


def exposition() -> bytes:
    """The metrics of all web processes in Prometheus' text format."""
    return generate_latest(_collected())


def listen(host: str, port: int) -> None:
    """Serve the metrics on a port of their own, from a thread, until the process ends.

    Raises:
        OSError: the port cannot be had.
    """
    start_http_server(port, addr=host, registry=_collected())


def _collected() -> CollectorRegistry:
    if not os.environ.get(DIRECTORY_VARIABLE):
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no annotations here
    return registry
