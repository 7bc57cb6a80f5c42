"""Nothing that somebody can reach is ever removed, and all garbage goes in the end."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.properties.interleaving import Busy
from tests.properties.machine import Registry


def explore(machine: type[RuleBasedStateMachine], environ: dict[str, str], examples: int) -> None:
    """Run the machine in many orders."""
    limits = settings(
        max_examples=examples,
        stateful_step_count=12,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    settled = {"environ": environ | {"GRACE": "1h", "SPARSE_MANIFESTS": "none"}}
    run_state_machine_as_test(type("Machine", (machine,), settled), settings=limits)


# Feature: gati-registry, Property 22: Layer deduplication
@pytest.mark.parametrize(("small", "examples"), [("0", 100), ("16KiB", 40)])
def test_nothing_reachable_is_removed_and_all_garbage_goes(environ: dict[str, str], small: str, examples: int) -> None:
    """One stored object for each digest, whatever happens in whatever order."""
    explore(Registry, environ | {"SMALL_BLOB": small}, examples)
    assert issubclass(Registry, RuleBasedStateMachine)


# Feature: gati-registry, Property 22: Layer deduplication, between actions that run at once
def test_actions_that_run_at_once_lose_nothing_and_leave_nothing(environ: dict[str, str]) -> None:
    """Pushes, mounts, deletes and the sweep, interleaved as the database orders them."""
    explore(Busy, environ, 30)
    assert issubclass(Busy, Registry)


pytestmark = pytest.mark.timeout(600)
