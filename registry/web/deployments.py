"""Deployments: what a platform needs to run a version, and what it reports when that failed."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from registry.artifacts import deployments, reading
from registry.artifacts.deployments import Failure
from registry.auth.model import ANYBODY
from registry.namespaces.access import Right
from registry.namespaces.entry import Level
from registry.web.artifact_answers import titles, warnings
from registry.web.artifact_parts import LayerAnswer, ResolvedAnswer, layer_answer, resolved_answer
from registry.web.artifact_places import VERSION, release, seen
from registry.web.bodies import Answer, Body
from registry.web.paging import own, version_of
from registry.web.rest import Call, Reply, Row

_REPORTS = "/v1/deployments/reports"
_MOST = 100


class DescriptorAnswer(Answer, frozen=True, kw_only=True):
    """What a platform needs to run a version: everything by digest; secrets by name, without values."""

    repository: str
    version: str
    digest: str
    reference: Annotated[str, Meta(description="What to pull, behind the host of the registry.")]
    type: str
    runtime: Annotated[dict[str, Any], Meta(description="How it is started.")]
    env: list[Any]
    secrets: list[Any]
    resources: dict[str, Any]
    ports: list[Any]
    network_access: dict[str, Any]
    capabilities: list[str]
    layers: list[LayerAnswer]
    dependencies: list[ResolvedAnswer]
    engines: dict[str, Any] | UnsetType = UNSET


class FailureBody(Body, frozen=True, kw_only=True):
    """An artifact that failed: in `phase`, such as pull, verify or start, with a code."""

    reference: Annotated[str, Meta(min_length=1, max_length=512)]
    phase: Annotated[str, Meta(min_length=1, max_length=50)]
    code: Annotated[str, Meta(min_length=1, max_length=100)]


class ReportBody(Body, frozen=True, kw_only=True):
    """A deployment that failed."""

    artifacts: Annotated[list[FailureBody], Meta(min_length=1, max_length=_MOST)]


async def descriptor(call: Call) -> Reply:
    """Show what a platform needs to run it: digests, environment, secrets by name, resources, network."""
    found = await release(call)
    config = await reading.config(call.realm.db, found)
    declared = deployments.needs(config)
    family = await reading.manifests(call.realm.db, found)
    resolved = await reading.resolve(call.realm.db, found, await seen(call))
    engines = config.get("engines")
    answer = DescriptorAnswer(
        repository=found.repository,
        version=found.version,
        digest=found.digest,
        reference=f"{found.repository}@{found.digest}",
        type=found.type,
        runtime=declared.runtime,
        env=declared.env,
        secrets=declared.secrets,
        resources=declared.resources,
        ports=declared.ports,
        network_access=declared.network,
        capabilities=found.capabilities,
        layers=[layer_answer(found, one, None) for _, body in family for one in titles(body)],
        dependencies=[resolved_answer(one) for one in resolved],
        engines=engines if isinstance(engines, dict) else UNSET,
    )
    return Reply(answer, version=version_of(answer), headers=warnings(found))


async def report(call: Call) -> Reply:
    """Report a deployment that failed, and the artifacts that it failed with: it is kept in the audit log."""
    if call.admitted.actor is not ANYBODY:
        own(call)
    body: ReportBody = call.body
    failures = [Failure(one.reference, one.phase, one.code) for one in body.artifacts]
    await deployments.report(call.realm.db, call.by, failures)
    return Reply()


ROWS = (
    Row(
        "GET",
        f"{VERSION}/deploy-descriptor",
        descriptor,
        Right.PULL,
        "Describe a deployment",
        answer=DescriptorAnswer,
        codes=(410,),
        is_open=True,
    ),
    Row("POST", _REPORTS, report, Level.ANYONE, "Report a failure", ReportBody, status=202, codes=(401,), is_open=True),
)
