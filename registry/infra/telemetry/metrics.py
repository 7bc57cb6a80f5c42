"""Prometheus metrics. Labels take few values: routes by name, never by path."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

REQUESTS: Final = Counter("gati_registry_http_requests_total", "Requests answered.", ["route", "method", "status"])
REQUEST_SECONDS: Final = Histogram(
    "gati_registry_http_request_duration_seconds",
    "Time to answer a request.",
    ["route", "method"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30),
)
BLOB_BYTES: Final = Counter("gati_registry_oci_blob_bytes_total", "Bytes of blobs moved.", ["direction"])
POOL_IN_USE: Final = Gauge("gati_registry_db_pool_in_use", "Database connections in use.")
POOL_SIZE: Final = Gauge("gati_registry_db_pool_size", "Database connections open.")
SWEPT: Final = Counter("gati_registry_swept_total", "What the sweep removed.", ["kind"])
