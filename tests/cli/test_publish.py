"""Publishing to a registry as a user has it, and what becomes of releases there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry.artifacts.catalogue import BY_NAME
from tests.cli.conftest import Gati
from tests.cli.example_projects import FAMILY, digest, project, write
from tests.cli.test_journey import PEOPLE, SECRET, served


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that has one account, alice's, who may publish as much as she likes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RATE_LIMIT_UPLOAD", "0")
        with served(tmp_path_factory.mktemp("served")) as found:
            yield found


@pytest.fixture
def alice(gati: Gati, url: str) -> Gati:
    """The client of alice, who is logged in."""
    ended = gati.run("account", "create", *PEOPLE, "--registry", url, stdin=f"{SECRET}\n")
    assert ended.status in {0, 7}, ended.err
    gati("login", url, "--username", "alice", "--password-stdin", "--no-docker", stdin=f"{SECRET}\n")
    return gati


def node(folder: Path, name: str, text: str = "exports.hello = () => 1;\n", **more: Any) -> str:
    """A small module; its folder."""
    (folder / "dist").mkdir(parents=True, exist_ok=True)
    (folder / "dist" / "index.js").write_text(text)
    config = {"type": "node", "entry": "dist/index.js"}
    write(folder, {"name": name, "version": "1.0.0", "config": config} | more)
    return str(folder)


def test_a_module_is_published_found_and_never_changed(alice: Gati, url: str, tmp_path: Path) -> None:
    folder = node(tmp_path, "first", description="Says hello.", keywords=["greeting"])
    made = alice("module", "publish", folder, "--tag", "beta", "--access", "public", "--json").document
    assert (made["reference"], made["state"]) == ("users/alice/first@1.0.0", "published")
    assert httpx.get(f"{url}/v2/users/alice/first/manifests/1.0.0").status_code == 200
    again = alice("module", "publish", folder, "--json").document
    assert (again["digest"], again["wasThere"]) == (made["digest"], True)
    changed = alice.run("module", "publish", node(tmp_path, "first", "exports.hello = () => 2;\n"))
    assert (changed.status, "versions are never changed" in changed.err) == (7, True)
    alice("module", "publish", folder, "--version", "1.1.0")
    shown = alice("module", "info", "@alice/first@^1.0", "--json").document["release"]
    assert (shown["version"], shown["tags"]) == ("1.1.0", ["latest"])
    assert alice("module", "info", "@alice/first@beta", "--json").document["release"]["version"] == "1.0.0"
    assert "@alice/first" in alice("module", "search", "first").out
    assert alice("search", "first", "--type", "model").out == ""


def test_what_is_private_is_private_from_its_first_moment(alice: Gati, url: str, tmp_path: Path) -> None:
    folder = node(tmp_path, "hidden")
    alice("module", "publish", folder, "--access", "private")
    assert httpx.get(f"{url}/v2/users/alice/hidden/manifests/1.0.0").status_code == 401
    alice("module", "publish", folder, "--access", "public")
    assert httpx.get(f"{url}/v2/users/alice/hidden/manifests/1.0.0").status_code == 200


def test_whoever_is_not_logged_in_is_told_so(gati: Gati, alice: Gati, url: str, tmp_path: Path) -> None:
    folder = node(tmp_path, "nobodys", namespace="users/alice")
    gati("logout")
    ended = gati.run("module", "publish", folder, "--registry", url)
    assert (ended.status, "gati login" in ended.err) == (3, True)


def test_nothing_goes_into_the_namespace_of_somebody_else(alice: Gati, tmp_path: Path) -> None:
    ended = alice.run("module", "publish", node(tmp_path, "foreign"), "--namespace", "users/bob")
    assert ended.status in {5, 6}


def test_what_a_plugin_requires_is_pinned_when_it_is_published(alice: Gati, url: str, tmp_path: Path) -> None:
    kind = BY_NAME["plugin"]
    folder = str(project(kind, tmp_path / "plugin", requiredModules=["clock@^1.0.0"]))
    ended = alice.run("plugin", "publish", folder)
    assert (ended.status, "there is no artifact clock@^1.0.0" in ended.err) == (5, True)
    clock = node(tmp_path / "clock", "clock")
    alice("module", "publish", clock)
    newest = alice("module", "publish", clock, "--version", "1.2.0", "--json").document["digest"]
    alice("module", "publish", clock, "--version", "2.0.0")
    alice("plugin", "publish", folder, "--access", "public")
    manifest = httpx.get(f"{url}/v1/artifacts/users~alice/hello-plugin/1.0.0/manifest").json()
    assert manifest["config"]["resolved"] == {"clock@^1.0.0": newest}


@pytest.mark.parametrize("name", ["module-oci", "module-binary", "model", "agent", "template", "transformer"])
def test_an_example_of_a_type_is_published(alice: Gati, tmp_path: Path, name: str) -> None:
    kind = BY_NAME[name]
    if name == "transformer":
        written = dict(kind.example["config"]) | {"fromArtifact": "turned", "fromVersion": "1.x", "toVersion": "2.x"}
        alice("module", "publish", node(tmp_path / "one", "turned"))
        folder = project(kind, tmp_path / "it", config=written)
    else:
        folder = project(kind, tmp_path / "it")
    made = alice(FAMILY.get(name, "module"), "publish", str(folder), "--json").document
    assert made["state"] == "published"
    assert alice("module", "info", f"@alice/{made['repository'].rpartition('/')[2]}").status == 0


def test_an_image_that_the_registry_has_becomes_a_module_without_being_sent(
    alice: Gati, url: str, tmp_path: Path
) -> None:
    folder = project(BY_NAME["module-oci"], tmp_path / "it", name="plain")
    sent = alice("module", "publish", str(folder), "--access", "public", "--json").document
    config = {"type": "oci", "image": "users/alice/plain@1.0.0"}
    write(tmp_path / "other", {"name": "other", "version": "1.0.0", "config": config})
    made = alice("module", "publish", str(tmp_path / "other"), "--access", "public", "--json").document
    assert made["layers"] == sent["layers"]
    layer = made["layers"][0]["digest"]
    assert digest(httpx.get(f"{url}/v2/users/alice/other/blobs/{layer}").content) == layer


def test_a_list_of_components_goes_with_a_release(alice: Gati, url: str, tmp_path: Path) -> None:
    (tmp_path / "sbom.json").write_text(json.dumps({"spdxVersion": "SPDX-2.3", "name": "it"}))
    folder = node(tmp_path / "it", "listed")
    words = ("--sbom", str(tmp_path / "sbom.json"), "--access", "public", "--json")
    made = alice("module", "publish", folder, *words).document
    found = httpx.get(f"{url}/v2/users/alice/listed/referrers/{made['digest']}").json()["manifests"]
    assert [one["artifactType"] for one in found] == ["application/spdx+json"]
    (tmp_path / "sbom.json").write_text("{}")
    assert alice.run("module", "publish", folder, *words).status == 1


def test_a_file_that_was_built_is_what_is_published_in_one_piece(alice: Gati, url: str, tmp_path: Path) -> None:
    out = tmp_path / "built.tgz"
    folder = node(tmp_path / "it", "built")
    made = alice("module", "build", folder, "--out", str(out), "--json").document
    key = alice("key", "create", "upload").out.strip()
    fields = {"Authorization": f"Bearer {key}", "X-Artifact-Digest": made["fileDigest"]}
    path = f"{url}/v1/artifacts/users~alice/built/1.0.0"
    answer = httpx.post(path, content=out.read_bytes(), headers=fields | {"Content-Type": "application/octet-stream"})
    assert answer.status_code == 202, answer.text
    release = alice("module", "info", "@alice/built", "--json").document["release"]
    assert release["digest"] == made["digest"]


def test_a_release_is_deprecated_and_taken_back(alice: Gati, tmp_path: Path) -> None:
    folder = node(tmp_path, "short-lived")
    alice("module", "publish", folder)
    told = ("--reason", "It loses data.", "--sunset", "2030-01-01", "--replacement", "@alice/other")
    alice("module", "deprecate", "@alice/short-lived@1.0.0", *told)
    shown = alice("module", "info", "@alice/short-lived")
    assert "It loses data. Use @alice/other." in shown.err
    alice("module", "deprecate", "@alice/short-lived@1.0.0", "--undo")
    assert "It loses data." not in alice("module", "info", "@alice/short-lived").err
    assert alice.run("module", "unpublish", "@alice/short-lived").status == 1
    assert alice.run("module", "unpublish", "@alice/short-lived@1.0.0").status == 1
    alice("module", "unpublish", "@alice/short-lived@1.0.0", "--yes")
    assert alice.run("module", "publish", folder).status == 7


def test_a_release_that_nobody_waits_for_is_judged_all_the_same(alice: Gati, tmp_path: Path) -> None:
    made = alice("module", "publish", node(tmp_path, "hasty"), "--no-wait", "--json").document
    assert made["state"] in {"received", "scanning", "published"}
