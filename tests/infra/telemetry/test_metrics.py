"""The exposition: names, labels, several processes."""

import os
import subprocess
import sys
from pathlib import Path

from registry.infra.telemetry import metrics

ROOT = Path(__file__).parents[3]
WORK = """
import os, sys
from registry.infra.telemetry import metrics
metrics.count("blobs", "GET", 200, 0.002)
metrics.record_pool(1, 4)
if sys.argv[1] == "parent":
    for child in sys.argv[2:]:
        metrics.forget(int(child))
    sys.stdout.write(metrics.exposition().decode())
else:
    sys.stdout.write(str(os.getpid()))
"""


def run(folder: Path, *arguments: str) -> str:
    environ = os.environ | {metrics.DIRECTORY_VARIABLE: str(folder), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", WORK, *arguments], env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_processes_are_added_up_and_the_gauges_of_the_dead_left_out(tmp_path: Path) -> None:
    dead = [run(tmp_path, "child") for _ in range(2)]
    text = run(tmp_path, "parent", *dead)
    assert 'gati_registry_http_requests_total{method="GET",route="blobs",status="200"} 3.0' in text
    assert 'http_request_duration_seconds_count{method="GET",route="blobs",status="200"} 3.0' in text
    assert "gati_registry_db_pool_size 4.0" in text


def test_one_process_needs_no_directory() -> None:
    metrics.count("tags", "GET", 200, 0.2)
    text = metrics.exposition().decode()
    assert 'gati_registry_http_request_duration_seconds_bucket{le="0.5",method="GET",route="tags",status="200"}' in text
    assert "gati_registry_oci_uploads_inflight 0.0" in text
