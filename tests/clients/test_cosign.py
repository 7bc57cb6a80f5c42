import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.images import Image, new_image
from tests.clients.programs import Program, Registry

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
OLD_SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"
OFFLINE = ("--insecure-ignore-tlog",)
PARTS = b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}'


@dataclass(frozen=True, slots=True)
class Signer:
    """cosign with a key pair, without any service of sigstore."""

    cosign: Program
    folder: Path

    @property
    def bundle(self) -> tuple[str, ...]:
        """Options that sign in the current format."""
        services = (f"--signing-config={self.folder / 'services.json'}", f"--trusted-root={self.folder / 'roots.json'}")
        return (f"--key={self.folder / 'cosign.key'}", "--yes", *services)

    @property
    def older(self) -> tuple[str, ...]:
        """Options that sign in the format before it."""
        off = ("--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false")
        return (f"--key={self.folder / 'cosign.key'}", "--yes", *off)

    def verify(self, command: str, *words: str, key: str = "cosign.pub") -> str:
        """Verify with our key, or another."""
        return self.cosign(command, f"--key={self.folder / key}", *OFFLINE, *words)

    def refuses(self, command: str, *words: str, key: str = "cosign.pub") -> str:
        """Why a verification fails, which it must."""
        said = self.cosign.fails(command, f"--key={self.folder / key}", *OFFLINE, *words)
        assert re.search("no signatures found|no matching|none of the attestations matched", said), said
        return said


@pytest.fixture(scope="session")
def signer(find: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Signer:
    folder = tmp_path_factory.mktemp("cosign")
    environ = {
        "HOME": str(folder),
        "TUF_ROOT": str(folder / "tuf"),
        "DOCKER_CONFIG": str(folder),
        "COSIGN_PASSWORD": "",
    }
    cosign = Program(find("cosign"), environ)
    for name in ("cosign", "other"):
        cosign("generate-key-pair", f"--output-key-prefix={folder / name}")
    cosign("signing-config", "create", f"--out={folder / 'services.json'}")
    cosign("trusted-root", "create", f"--out={folder / 'roots.json'}")
    (folder / "parts.json").write_bytes(PARTS)
    return Signer(cosign, folder)


@pytest.fixture
def repository(registry: Registry) -> str:
    return registry.new("cosign")


@pytest.fixture
def image(registry: Registry, repository: str) -> Image:
    image = new_image()
    registry.push(repository, image)
    return image


@pytest.fixture
def reference(registry: Registry, repository: str, image: Image) -> str:
    return registry.reference(repository, image.digest)


def test_a_signature_verifies_with_its_key_only(
    signer: Signer, registry: Registry, repository: str, image: Image, reference: str
) -> None:
    assert "no signatures found" in signer.refuses("verify", reference).lower()
    signer.cosign("sign", *signer.bundle, reference)
    [seen] = json.loads(signer.verify("verify", reference))
    assert seen["critical"]["image"]["docker-manifest-digest"] == image.digest
    assert signer.refuses("verify", reference, key="other.pub")
    assert [entry["artifactType"] for entry in registry.referrers(repository, image.digest)] == [BUNDLE]


def test_the_tag_of_a_signed_image_verifies(
    signer: Signer, registry: Registry, repository: str, reference: str
) -> None:
    signer.cosign("sign", *signer.bundle, reference)
    assert json.loads(signer.verify("verify", registry.reference(repository, "v1")))


def test_an_attestation_verifies_and_gives_its_content_back(signer: Signer, reference: str) -> None:
    parts = (f"--predicate={signer.folder / 'parts.json'}", "--type=cyclonedx")
    signer.cosign("attest", *signer.bundle, *parts, reference)
    said = signer.verify("verify-attestation", "--type=cyclonedx", reference)
    assert "in-toto" in said
    assert signer.refuses("verify-attestation", "--type=spdxjson", reference)
    assert signer.refuses("verify-attestation", "--type=cyclonedx", reference, key="other.pub")


def test_signatures_of_several_kinds_stand_side_by_side(
    signer: Signer, registry: Registry, repository: str, image: Image, reference: str
) -> None:
    signer.cosign("sign", *signer.bundle, reference)
    signer.cosign(
        "attest", *signer.bundle, f"--predicate={signer.folder / 'parts.json'}", "--type=cyclonedx", reference
    )
    assert len(registry.referrers(repository, image.digest)) == 2
    assert signer.verify("verify", reference)
    assert signer.verify("verify-attestation", "--type=cyclonedx", reference)


def test_an_older_signature_lies_under_a_tag(
    signer: Signer, registry: Registry, repository: str, image: Image, reference: str
) -> None:
    signer.cosign("sign", *signer.older, reference)
    assert f"{image.digest.replace(':', '-')}.sig" in registry.tags(repository)
    assert json.loads(signer.verify("verify", "--new-bundle-format=false", reference))
    assert signer.refuses("verify", "--new-bundle-format=false", reference, key="other.pub")


def test_a_second_older_signature_keeps_the_first(signer: Signer, reference: str) -> None:
    signer.cosign("sign", *signer.older, reference)
    signer.cosign("sign", *signer.older, f"--key={signer.folder / 'other.key'}", reference)
    for key in ("cosign.pub", "other.pub"):
        assert json.loads(signer.verify("verify", "--new-bundle-format=false", reference, key=key))


def test_an_older_attestation_lies_under_a_tag(
    signer: Signer, registry: Registry, repository: str, image: Image, reference: str
) -> None:
    parts = (f"--predicate={signer.folder / 'parts.json'}", "--type=cyclonedx")
    signer.cosign("attest", *signer.older, *parts, reference)
    assert f"{image.digest.replace(':', '-')}.att" in registry.tags(repository)
    wanted = ("verify-attestation", "--new-bundle-format=false", "--type=cyclonedx", reference)
    assert signer.verify(*wanted)
    assert signer.refuses(*wanted, key="other.pub")


def test_an_older_signature_refers_to_its_subject(
    signer: Signer, registry: Registry, repository: str, image: Image, reference: str
) -> None:
    experiment = Program(signer.cosign.path, signer.cosign.environ | {"COSIGN_EXPERIMENTAL": "1"})
    experiment("sign", *signer.older, "--registry-referrers-mode=oci-1-1", reference)
    assert [entry["artifactType"] for entry in registry.referrers(repository, image.digest)] == [OLD_SIGNATURE]
    options = ("--new-bundle-format=false", "--experimental-oci11", reference)
    assert json.loads(signer.verify("verify", *options))
    assert signer.refuses("verify", *options, key="other.pub")


@pytest.mark.parametrize("form", ["bundle", "older"])
def test_clean_removes_signatures_and_leaves_the_image(
    signer: Signer, registry: Registry, repository: str, image: Image, reference: str, form: str
) -> None:
    signer.cosign("sign", *(signer.bundle if form == "bundle" else signer.older), reference)
    signer.cosign("clean", "--force", registry.reference(repository, "v1"))
    assert signer.refuses("verify", f"--new-bundle-format={'true' if form == 'bundle' else 'false'}", reference)
    assert registry.manifest(repository, "v1") == image.manifest
    assert registry.referrers(repository, image.digest) == []


def test_a_signed_image_is_copied_with_its_signature(signer: Signer, registry: Registry, reference: str) -> None:
    signer.cosign("sign", *signer.older, reference)
    copied = registry.reference(registry.new("copies"))
    signer.cosign("copy", "--allow-http-registry", reference, copied)
    assert json.loads(signer.verify("verify", "--new-bundle-format=false", copied))


def test_tree_shows_what_hangs_on_an_image(
    signer: Signer, registry: Registry, repository: str, image: Image, reference: str
) -> None:
    signer.cosign("sign", *signer.bundle, reference)
    [signature] = registry.referrers(repository, image.digest)
    assert signature["digest"] in signer.cosign("tree", reference)


def test_a_signature_outlives_its_image_until_it_is_pushed_again(
    signer: Signer, registry: Registry, repository: str, image: Image, reference: str
) -> None:
    signer.cosign("sign", *signer.bundle, reference)
    assert registry.http.delete(f"/v2/{repository}/manifests/{image.digest}").status_code == 202
    assert not registry.has(repository, "v1")
    registry.push(repository, image)
    [seen] = json.loads(signer.verify("verify", reference))
    assert seen["critical"]["image"]["docker-manifest-digest"] == image.digest


@pytest.mark.parametrize("mode", ["legacy", "oci-1-1"])
def test_an_attached_list_of_parts_is_found(
    signer: Signer, registry: Registry, repository: str, image: Image, reference: str, mode: str
) -> None:
    experiment = Program(signer.cosign.path, signer.cosign.environ | {"COSIGN_EXPERIMENTAL": "1"})
    parts = (f"--sbom={signer.folder / 'parts.json'}", "--type=cyclonedx", "--input-format=json")
    experiment("attach", "sbom", *parts, f"--registry-referrers-mode={mode}", reference)
    tag = f"{image.digest.replace(':', '-')}.sbom"
    [found] = [tag] if mode == "legacy" else [entry["digest"] for entry in registry.referrers(repository, image.digest)]
    [layer] = json.loads(registry.manifest(repository, found))["layers"]
    assert registry.blob(repository, layer["digest"]) == PARTS
