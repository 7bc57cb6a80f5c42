"""The types of artifacts, a row each. Pure."""

from typing import Final

from registry.artifacts.model import Kind
from registry.artifacts.types import (
    agent,
    model,
    module_binary,
    module_external,
    module_node,
    module_oci,
    module_wasm,
    plugin,
    snapshot,
    template,
    transformer,
)

KINDS: Final[tuple[Kind, ...]] = (
    module_node.KIND,
    module_oci.KIND,
    module_wasm.KIND,
    module_binary.KIND,
    module_external.KIND,
    plugin.KIND,
    model.KIND,
    agent.KIND,
    template.KIND,
    snapshot.KIND,
    transformer.KIND,
)
BY_NAME: Final = {kind.name: kind for kind in KINDS}
BY_ARTIFACT_TYPE: Final = {kind.artifact_type: kind for kind in KINDS}
RESERVED: Final = frozenset(
    {
        "application/vnd.gati.signature.v1",
        "application/vnd.gati.scan.report.v1",
        "application/vnd.gati.verdict.v1",
        "application/vnd.gati.timescape.edge.v1",
        "application/vnd.gati.transformer.link.v1",
        "application/vnd.gati.deprecation.v1",
    }
)
"""Types of referrers that only the registry writes."""
