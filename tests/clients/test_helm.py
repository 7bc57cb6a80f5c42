from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.programs import Program, Registry

TEMPLATE = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  secret: {{ .Values.word | quote }}
"""


@pytest.fixture
def helm(program: Callable[[str], Program]) -> Program:
    return program("helm")


def packed(helm: Program, folder: Path, version: str) -> Path:
    """A chart, packed as a user packs it."""
    chart = folder / "demo"
    (chart / "templates").mkdir(parents=True, exist_ok=True)
    (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: demo\ndescription: A small chart\nversion: {version}\n")
    (chart / "values.yaml").write_text("word: hello\n")
    (chart / "templates" / "map.yaml").write_text(TEMPLATE)
    helm("package", chart, "--destination", folder)
    return folder / f"demo-{version}.tgz"


def test_a_pushed_chart_is_pulled_unchanged(helm: Program, registry: Registry, tmp_path: Path) -> None:
    chart, place = packed(helm, tmp_path, "1.2.3"), f"oci://{registry.host}/{registry.new('charts')}"
    helm("push", chart, place, "--plain-http")
    (tmp_path / "out").mkdir()
    helm("pull", f"{place}/demo", "--version=1.2.3", "--plain-http", "--destination", tmp_path / "out")
    assert (tmp_path / "out" / chart.name).read_bytes() == chart.read_bytes()


def test_show_and_template_read_the_chart_from_the_registry(helm: Program, registry: Registry, tmp_path: Path) -> None:
    place = f"oci://{registry.host}/{registry.new('charts')}"
    helm("push", packed(helm, tmp_path, "0.1.0"), place, "--plain-http")
    assert "A small chart" in helm("show", "chart", f"{place}/demo", "--version=0.1.0", "--plain-http")
    assert 'secret: "hello"' in helm("template", "mine", f"{place}/demo", "--version=0.1.0", "--plain-http")


def test_without_a_version_the_newest_is_pulled(helm: Program, registry: Registry, tmp_path: Path) -> None:
    place = f"oci://{registry.host}/{registry.new('charts')}"
    for version in ("1.10.0", "1.9.0"):
        helm("push", packed(helm, tmp_path, version), place, "--plain-http")
    assert "version: 1.10.0" in helm("show", "chart", f"{place}/demo", "--plain-http")


def test_build_metadata_of_a_version_survives(helm: Program, registry: Registry, tmp_path: Path) -> None:
    repository = registry.new("charts")
    place = f"oci://{registry.host}/{repository}"
    helm("push", packed(helm, tmp_path, "1.0.0+build5"), place, "--plain-http")
    assert registry.tags(f"{repository}/demo") == ["1.0.0_build5"]
    assert "version: 1.0.0+build5" in helm("show", "chart", f"{place}/demo", "--version=1.0.0+build5", "--plain-http")


def test_a_chart_that_is_not_there_is_not_found(helm: Program, registry: Registry) -> None:
    place = f"oci://{registry.host}/{registry.new('charts')}/demo"
    assert "not found" in helm.fails("pull", place, "--version=1.0.0", "--plain-http")
