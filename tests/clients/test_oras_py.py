from pathlib import Path

import pytest
from oras.client import OrasClient

from tests.clients.images import new_image
from tests.clients.programs import Registry


@pytest.fixture
def client(registry: Registry) -> OrasClient:
    return OrasClient(hostname=registry.host, insecure=True)


def test_a_pushed_file_is_pulled_unchanged(client: OrasClient, registry: Registry, tmp_path: Path) -> None:
    content, reference = new_image().file, registry.reference(registry.new("oras-py"))
    (tmp_path / "data.bin").write_bytes(content)
    answer = client.push(target=reference, files=[str(tmp_path / "data.bin")], disable_path_validation=True)
    assert answer.status_code == 201
    [pulled] = client.pull(target=reference, outdir=str(tmp_path / "out"))
    assert Path(pulled).read_bytes() == content


def test_a_file_pushed_in_chunks_is_pulled_unchanged(client: OrasClient, registry: Registry, tmp_path: Path) -> None:
    content, reference = new_image(size=300_000).file, registry.reference(registry.new("oras-py"))
    (tmp_path / "data.bin").write_bytes(content)
    files = [str(tmp_path / "data.bin")]
    client.push(target=reference, files=files, disable_path_validation=True, do_chunked=True, chunk_size=65_536)
    [pulled] = client.pull(target=reference, outdir=str(tmp_path / "out"))
    assert Path(pulled).read_bytes() == content


def test_tags_are_listed_and_deleted(client: OrasClient, registry: Registry) -> None:
    repository = registry.new("oras-py")
    registry.push(repository, new_image(), "v1")
    registry.push(repository, new_image(), "v2")
    assert client.get_tags(f"{registry.host}/{repository}") == ["v1", "v2"]
    client.delete_tags(f"{registry.host}/{repository}", ["v1"])
    assert not registry.has(repository, "v1")
    assert registry.has(repository, "v2")
