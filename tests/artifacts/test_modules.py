"""Modules of the other kinds, and plugins: what each asks for beyond its schema."""

import hashlib
import io
import struct
from dataclasses import replace
from typing import Any

import pytest

from registry.artifacts import checking
from registry.artifacts.catalogue import BY_NAME, KINDS
from registry.artifacts.formats import executables
from registry.artifacts.model import EMPTY, GATI_MANIFEST, GTYPES, Kind, Submission
from registry.artifacts.types.examples import ADDER, ELF
from registry.artifacts.types.module_binary import ARCHIVE, RAW
from registry.artifacts.types.plugin import LAYER as PLUGIN_LAYER
from registry.core.errors import ArtifactInvalid, MalformedManifest
from tests.artifacts.making import changed, entry, submit, tgz

BINARY = BY_NAME["module-binary"]
EXTERNAL = BY_NAME["module-external"]
IMAGE = BY_NAME["module-oci"]
PLUGIN = BY_NAME["plugin"]
PINNED = "sha256:" + "a" * 64


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def judged(submission: Submission) -> None:
    for layer in checking.check(submission).pending:
        checking.check_whole(submission, layer, io.BytesIO(layer.head))


def refused(submission: Submission) -> dict[str, Any]:
    with pytest.raises(ArtifactInvalid) as error:
        judged(submission)
    assert isinstance(error.value.detail, dict)
    return error.value.detail


def programs(*platforms: dict[str, Any], layers: list[tuple[str, str, bytes]]) -> Submission:
    return changed(submit(BINARY, layers=layers), config={"type": "binary", "platforms": list(platforms)})


def platform(data: bytes, system: str = "linux", processor: str = "amd64", file: str = "hello") -> dict[str, Any]:
    return {"os": system, "arch": processor, "file": file, "sha256": sha256(data)}


def elf(machine: int, abi: int = 0) -> bytes:
    return ELF[:7] + bytes([abi]) + ELF[8:18] + struct.pack("<H", machine) + ELF[20:]


MACH = struct.pack("<II", 0xFEEDFACF, 0x0100000C) + bytes(56)
UNIVERSAL = struct.pack(">II", 0xCAFEBABE, 2) + struct.pack(">5I5I", 0x01000007, *[0] * 4, 0x0100000C, *[0] * 4)
PE = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", 0x8664) + bytes(20)


@pytest.mark.parametrize(
    ("data", "system", "processor"),
    [
        (ELF, "linux", "amd64"),
        (ELF, "linux", "x86_64"),
        (ELF, "freebsd", "x64"),
        (elf(183), "linux", "aarch64"),
        (elf(243), "linux", "riscv64"),
        (elf(62, 9), "freebsd", "amd64"),
        (MACH, "darwin", "arm64"),
        (UNIVERSAL, "macos", "arm64"),
        (UNIVERSAL, "darwin", "amd64"),
        (PE, "windows", "amd64"),
    ],
    ids=range(10),
)
def test_a_program_is_taken_for_the_platform_of_its_header(data: bytes, system: str, processor: str) -> None:
    given = programs(platform(data, system, processor), layers=[("hello", RAW, data)])
    assert checking.check(given).pending == ()


@pytest.mark.parametrize(
    ("data", "system", "processor", "pointer"),
    [
        (ELF, "linux", "arm64", "/config/platforms/0/arch"),
        (ELF, "windows", "amd64", "/config/platforms/0/os"),
        (elf(62, 9), "linux", "amd64", "/config/platforms/0/os"),
        (elf(999), "linux", "amd64", "/config/platforms/0/arch"),
        (PE, "linux", "amd64", "/config/platforms/0/os"),
        (MACH, "darwin", "amd64", "/config/platforms/0/arch"),
        (b"#!/bin/sh\necho hello\n", "linux", "amd64", "/layers/0"),
        (b"MZ", "windows", "amd64", "/layers/0"),
        (b"\x7fELF", "linux", "amd64", "/layers/0"),
        (ELF[:30], "linux", "amd64", "/layers/0"),
        (struct.pack(">II", 0xCAFEBABE, 65) + bytes(99), "darwin", "amd64", "/layers/0"),
        (b"MZ" + b"\xff" * 62, "windows", "amd64", "/layers/0"),
    ],
    ids=range(12),
)
def test_a_program_of_another_platform_or_none_is_refused(
    data: bytes, system: str, processor: str, pointer: str
) -> None:
    given = programs(platform(data, system, processor), layers=[("hello", RAW, data)])
    assert refused(given)["pointer"] == pointer


def test_every_start_of_a_program_is_answered() -> None:
    for data in (ELF, MACH, UNIVERSAL, PE):
        for length in range(len(data)):
            found = executables.identify(data[:length])
            assert found is None or found.systems


def test_a_program_in_an_archive_is_judged_as_one_beside_it() -> None:
    good = tgz(entry("bin/hello", ELF, mode=0o755))
    bad = tgz(entry("bin/hello", PE, mode=0o755))
    other = tgz(entry("bin/other", ELF))
    where = {"file": "bin/hello"}
    checking.check(programs({**platform(good), **where}, layers=[("a.tgz", ARCHIVE, good)]))
    assert refused(programs({**platform(bad), **where}, layers=[("a.tgz", ARCHIVE, bad)]))["pointer"].endswith("/os")
    missing = refused(programs({**platform(other), **where}, layers=[("a.tgz", ARCHIVE, other)]))
    assert (missing["pointer"], "bin/other" in missing["suggestion"]) == ("/config/platforms/0/file", True)


def test_platforms_and_layers_belong_to_each_other() -> None:
    arm, layers = elf(183), [("hello", RAW, ELF)]
    assert refused(programs(platform(ELF), platform(ELF), layers=layers))["pointer"] == "/config/platforms/1"
    assert refused(programs(platform(arm, "linux", "arm64"), layers=layers))["pointer"] == "/config/platforms/0/sha256"
    assert refused(programs(platform(ELF, file="bye"), layers=layers))["pointer"] == "/config/platforms/0/file"
    assert refused(programs(platform(ELF, file="../hello"), layers=layers))["pointer"] == "/config/platforms/0/file"
    both = [*layers, ("arm", RAW, arm)]
    assert refused(programs(platform(ELF), layers=both))["pointer"] == "/config/platforms"
    assert refused(programs(platform(ELF), layers=[]))["pointer"] == "/config/platforms/0/sha256"


def test_an_index_of_programs_has_one_gati_manifest_and_a_platform_for_each() -> None:
    arm = elf(183)
    given = programs(
        platform(ELF),
        platform(arm, "linux", "arm64", "hello-arm"),
        layers=[("hello", RAW, ELF), ("hello-arm", RAW, arm)],
    )
    names = ("amd64", "arm64")
    index = {"manifests": [{"digest": name, "platform": {"os": "linux", "architecture": name}} for name in names]}
    children = {name: {"config": {"digest": "one"}} for name in names}
    checking.check(replace(given, manifest=index, children=children))
    other = {**children, "arm64": {"config": {"digest": "two"}}}
    assert refused(replace(given, manifest=index, children=other))["pointer"] == "/manifests"
    index["manifests"][1]["platform"] = {"os": "linux", "architecture": "s390x"}
    assert refused(replace(given, manifest=index, children=children))["pointer"] == "/manifests/1/platform"


@pytest.mark.parametrize(
    ("endpoint", "is_good"),
    [
        ("https://api.example.com/v1?x=1", True),
        ("https://[2001:db8::1]:8443/", True),
        ("${PAYMENTS_URL}", True),
        ("${PAYMENTS_URL}/v1", True),
        ("http://api.example.com", False),
        ("https://user:secret@example.com", False),
        ("https://", False),
        ("$PAYMENTS_URL", False),
        ("https://example.com/\nHost: evil", False),
        ("file:///etc/passwd", False),
    ],
)
def test_the_endpoint_of_an_external_module_is_https_or_a_variable(endpoint: str, is_good: bool) -> None:
    inner = {**EXTERNAL.example["config"], "endpoint": endpoint}
    given = changed(submit(EXTERNAL), config=inner)
    if is_good:
        checking.check(given)
    else:
        detail = refused(given)
        assert detail["pointer"] == "/config/endpoint"
        assert "secret" not in str(detail)


def test_an_external_module_may_have_types_or_the_empty_layer_and_only_that() -> None:
    types = b'[{"name": "Request", "fields": {"id": "string", "tags": "string[]?", "kind": "enum[a,b]"}}]'
    assert checking.check(submit(EXTERNAL, layers=[("types.json", GTYPES, types)])).extract.gtype_hash
    assert checking.check(submit(EXTERNAL, layers=[])).extract.gtype_hash is None
    assert refused(submit(EXTERNAL, layers=[("x", EMPTY, b"{ }")]))["pointer"] == "/layers/0/digest"


def test_an_image_is_judged_alone_until_its_gati_manifest_comes() -> None:
    full = submit(IMAGE)
    alone = replace(full, config={}, tags=("v1.2.0", "stable"))
    assert checking.check(alone).extract.version == "1.2.0"
    assert checking.needs_referrers(alone) == (GATI_MANIFEST,)
    assert checking.needs_referrers(full) == ()
    assert refused(replace(alone, tags=("stable",)))["document"] == "manifest"
    assert refused(replace(alone, tags=("1.0.0", "1.1.0")))["document"] == "manifest"
    with pytest.raises(MalformedManifest) as error:
        checking.check_referrer(
            alone, GATI_MANIFEST, b'{"name":"hello-image","version":"1.0.0","config":{"type":"oci"}}'
        )
    assert error.value.pointer == "/version"
    raw = b'{"name":"hello-image","version":"1.2.0","config":{"type":"oci"}}'
    assert checking.check_referrer(alone, GATI_MANIFEST, raw)["version"] == "1.2.0"


@pytest.mark.parametrize("ports", [[0], [65536], [80, 80], ["80"], [80.5], [True]])
def test_ports_of_an_image_are_ports_each_once(ports: list[Any]) -> None:
    assert refused(changed(submit(IMAGE), config={"type": "oci", "ports": ports}))["pointer"].startswith(
        "/config/ports"
    )


def test_what_no_engine_runs_is_no_image() -> None:
    given = submit(IMAGE)
    empty = {"mediaType": EMPTY}
    assert refused(replace(given, manifest={**given.manifest, "config": empty}))["pointer"] == "/config/mediaType"
    assert refused(replace(given, manifest={**given.manifest, "layers": []}))["pointer"] == "/layers"
    odd = [{"mediaType": "text/plain"}]
    assert refused(replace(given, manifest={**given.manifest, "layers": odd}))["pointer"] == "/layers/0/mediaType"


def test_an_index_of_images_says_for_which_platform_each_is() -> None:
    given = submit(IMAGE)
    one = {"digest": "a", "platform": {"os": "linux", "architecture": "amd64"}}
    attestation = {"digest": "b", "platform": {"os": "unknown", "architecture": "unknown"}}
    checking.check(replace(given, manifest={"manifests": [one, attestation]}, children={"a": given.manifest}))
    assert refused(replace(given, manifest={"manifests": [attestation]}))["pointer"] == "/manifests"
    assert refused(replace(given, manifest={"manifests": [one, one]}))["pointer"] == "/manifests/1/platform"
    assert refused(replace(given, manifest={"manifests": [{"digest": "a"}]}))["pointer"] == "/manifests/0/platform/os"


def test_the_modules_of_a_plugin_are_named_pinned_and_of_the_right_type() -> None:
    modules = ["@gati-official/db", "users/bob/cache@^1.2.0"]
    given = changed(
        submit(PLUGIN), requiredModules=modules, config={**PLUGIN.example["config"], "resolved": {modules[0]: PINNED}}
    )
    first, second = checking.check(given).extract.wants
    assert (first.pointer, first.digest, first.type, first.must_pin) == ("/requiredModules/0", PINNED, "module", True)
    assert (second.wanted, second.digest, second.relation) == ("^1.2.0", None, "module")


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"requiredModules": None}, "/requiredModules"),
        ({"requiredModules": ["Not One"]}, "/requiredModules/0"),
        ({"requiredModules": ["@a/b", "@a/b"]}, "/requiredModules/1"),
        ({"config": {"type": "node"}}, "/config/entry"),
        ({"config": {"type": "oci"}}, "/config/image"),
        ({"config": {"type": "oci", "image": "Not One"}}, "/config/image"),
        ({"config": {"type": "jvm", "entry": "a"}}, "/config/type"),
        ({"config": {"type": "node", "entry": "dist/index.js", "pluginKind": "middlewear"}}, "/config/pluginKind"),
        (
            {"config": {"type": "node", "entry": "dist/index.js", "resolved": {"@a/b": PINNED}}},
            "/config/resolved/@a~1b",
        ),
        ({"config": {"type": "node", "entry": "dist/index.js", "resolved": {"@a/b": "1"}}}, "/config/resolved/@a~1b"),
        ({"config": {"type": "node", "entry": "dist/index.js", "configSchema": {}}}, "/config/configSchema/kind"),
        ({"config": {"type": "wasm", "entry": "plugin.wasm"}}, "/config/entry"),
        ({"config": {"type": "wasm", "entry": "dist/index.js"}}, "/layers/0"),
    ],
    ids=str,
)
def test_a_plugin_that_breaks_a_rule_is_refused_where_it_breaks_it(members: dict[str, Any], pointer: str) -> None:
    assert refused(changed(submit(PLUGIN), **members))["pointer"] == pointer


def test_a_plugin_in_webassembly_is_read_in_its_archive() -> None:
    made = tgz(entry("plugin.wasm", ADDER))
    given = submit(PLUGIN, layers=[("p.tgz", PLUGIN_LAYER, made)])
    checking.check(changed(given, config={"type": "wasm", "entry": "plugin.wasm"}))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_type_is_found_by_its_artifact_type(kind: Kind) -> None:
    assert checking.kind_of(kind.artifact_type) is kind
    assert checking.kind_of(None) is None
    assert checking.kind_of("application/vnd.oci.image.config.v1+json") is None
