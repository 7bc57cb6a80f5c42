import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.access.world import One
from tests.clients.closed import PASSWORD, Client, Closed
from tests.clients.images import digest, new_image, tar
from tests.clients.programs import Program

Clients = Callable[[str], Client]
DELETIONS = {
    "crane": ("delete",),
    "oras": ("manifest", "delete", "--plain-http", "--force"),
    "regctl": ("manifest", "delete"),
    "skopeo": ("delete", "--tls-verify=false"),
}
COPIES = {
    "crane": ("copy",),
    "oras": ("cp", "--from-plain-http", "--to-plain-http"),
    "regctl": ("image", "copy"),
    "skopeo": ("copy", "--src-tls-verify=false", "--dest-tls-verify=false"),
}


def as_client(client: Client, one: One) -> Program:
    """The program, logged in with somebody's key."""
    client.log_in(one.name, one.key)
    return client.program


def written(name: str, reference: str) -> str:
    """A reference as the client wants it."""
    return f"docker://{reference}" if name == "skopeo" else reference


@pytest.mark.parametrize("name", DELETIONS)
def test_the_owner_deletes_and_a_writer_is_told_who_may(name: str, client: Clients, closed: Closed) -> None:
    its, repository = client(name), closed.pushed(closed.private)
    named = digest(closed.registry.manifest(repository, "v1"))
    words = (*DELETIONS[name], written(name, closed.reference(repository, named)))
    said = as_client(its, closed.robot).fails(*words)
    assert f"{closed.robot.name} may read {repository} but not delete there: that needs the role admin" in said
    assert closed.registry.has(repository, "v1")
    as_client(its, closed.owner)(*words)
    assert not closed.registry.has(repository, "v1")


@pytest.mark.parametrize("name", COPIES)
def test_an_image_is_copied_between_what_one_may_read_and_write(name: str, client: Clients, closed: Closed) -> None:
    program, target = as_client(client(name), closed.robot), closed.new(closed.private)
    source, hidden = closed.pushed(closed.private), closed.pushed(closed.hidden)
    program(*COPIES[name], *(written(name, closed.reference(one)) for one in (source, target)))
    assert closed.registry.manifest(target, "v1") == closed.registry.manifest(source, "v1")
    program.fails(*COPIES[name], *(written(name, closed.reference(one)) for one in (hidden, target)))
    assert closed.registry.manifest(target, "v1") == closed.registry.manifest(source, "v1")


@pytest.mark.xdist_group("docker")
def test_docker_sends_layers_again_whose_repository_it_may_not_read(client: Clients, closed: Closed) -> None:
    docker, source = client("docker"), closed.new(closed.private)
    own, foreign = closed.new(closed.private), closed.new(closed.hidden)
    program, content = as_client(docker, closed.owner), new_image().file
    program("import", "-", closed.reference(source), stdin=tar({"file": content}))
    for target in (own, foreign):
        program("tag", closed.reference(source), closed.reference(target))
    program("push", closed.reference(source))
    assert f"Mounted from {source}" in program("push", closed.reference(own))
    said = as_client(docker, closed.stranger)("push", closed.reference(foreign))
    assert "Mounted" not in said
    assert "Pushed" in said


def test_podman_searches_what_its_user_may_see(client: Clients, closed: Closed) -> None:
    podman = client("podman")
    public, private, hidden = (closed.pushed(one) for one in (closed.public, closed.private, closed.hidden))
    search = ("search", "--tls-verify=false", "--limit=100", "--format={{.Name}}")

    def found(part: str) -> list[str]:
        return podman.program(*search, f"{closed.host}/{part}").splitlines()

    assert found(public) == [f"{closed.host}/{public}"]
    assert found(private) == []
    as_client(podman, closed.reader)
    assert [found(one) for one in (private, hidden)] == [[f"{closed.host}/{private}"], []]
    listed = podman.program("search", "--tls-verify=false", "--list-tags", f"{closed.host}/{private}").splitlines()
    assert [line.split()[-1] for line in listed] == ["TAG", "v1"]


@pytest.mark.parametrize(
    ("name", "words"), [("crane", ("catalog",)), ("oras", ("repo", "ls", "--plain-http")), ("regctl", ("repo", "ls"))]
)
def test_the_catalog_lists_what_its_reader_may_see(
    name: str, words: tuple[str, ...], client: Clients, closed: Closed
) -> None:
    private, hidden = closed.pushed(closed.private), closed.pushed(closed.hidden)
    listed = as_client(client(name), closed.reader)(*words, closed.host).splitlines()
    assert private in listed
    assert hidden not in listed


def test_an_attached_file_is_discovered_by_readers_alone(client: Clients, closed: Closed, tmp_path: Path) -> None:
    oras, repository = client("oras"), closed.pushed(closed.private)
    reference, kind = closed.reference(repository), "application/vnd.example.sbom"
    (tmp_path / "sbom.json").write_text("{}")
    attach = ("attach", "--plain-http", reference, "sbom.json")
    discover = ("discover", "--plain-http", "--format=json", reference)
    as_client(oras, closed.robot)(*attach, f"--artifact-type={kind}", cwd=tmp_path)
    [found] = json.loads(as_client(oras, closed.reader)(*discover))["referrers"]
    assert found["artifactType"] == kind
    refused = oras.program.run(*attach, "--artifact-type=application/vnd.example.other", cwd=tmp_path)
    assert refused.returncode != 0
    assert "that needs the role write" in refused.stderr.decode()
    assert "not found" in as_client(oras, closed.stranger).fails(*discover)


def test_a_signature_in_a_private_repository_is_verified_by_who_may_read(
    client: Clients, closed: Closed, tmp_path: Path
) -> None:
    cosign, repository = client("cosign"), closed.pushed(closed.private)
    reference = closed.reference(repository, digest(closed.registry.manifest(repository, "v1")))
    places = [tmp_path / name for name in ("services.json", "roots.json", "cosign.key", "cosign.pub")]
    services, roots, private, public = places
    cosign.program("generate-key-pair", f"--output-key-prefix={tmp_path / 'cosign'}")
    cosign.program("signing-config", "create", f"--out={services}")
    cosign.program("trusted-root", "create", f"--out={roots}")
    sign = ("sign", f"--key={private}", "--yes", f"--signing-config={services}", f"--trusted-root={roots}", reference)
    verify = ("verify", f"--key={public}", "--insecure-ignore-tlog", reference)
    assert "that needs the role write" in as_client(cosign, closed.reader).fails(*sign)
    as_client(cosign, closed.robot)(*sign)
    assert json.loads(as_client(cosign, closed.reader)(*verify))
    assert "no signatures found" in as_client(cosign, closed.stranger).fails(*verify)
    cosign.log_in(closed.reader.name, "no key of anybody")
    assert "The user name or the password is wrong." in cosign.program.fails(*verify)


def test_a_chart_is_pushed_by_writers_and_pulled_by_readers(client: Clients, closed: Closed, tmp_path: Path) -> None:
    helm, place = client("helm"), f"oci://{closed.host}/{closed.private}/charts"
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "Chart.yaml").write_text("apiVersion: v2\nname: demo\nversion: 1.0.0\n")
    helm.program("package", tmp_path / "demo", "--destination", tmp_path)
    push = ("push", str(tmp_path / "demo-1.0.0.tgz"), place, "--plain-http")
    show = ("show", "chart", f"{place}/demo", "--version=1.0.0", "--plain-http")
    said = helm.log_in(closed.owner.name, "none of its passwords", fails=True)
    assert "The user name or the password is wrong." in said
    helm.log_in(closed.owner.name, PASSWORD)
    helm.program(*push)
    assert "name: demo" in as_client(helm, closed.reader)(*show)
    assert "that needs the role write" in helm.program.fails(*push)
    as_client(helm, closed.stranger).fails(*show)
