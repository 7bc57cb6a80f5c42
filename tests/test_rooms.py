"""The arrows between the rooms, read from the imports."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "registry"
ARROWS = {
    "core": set(),
    "infra": {"core"},
    "audit": {"core", "infra"},
    "auth": {"core", "infra", "audit"},
    "namespaces": {"core", "infra", "audit", "auth"},
    "content": {"core", "infra", "audit", "namespaces"},
    "artifacts": {"core", "infra", "audit", "namespaces", "content"},
    "admission": {"core", "infra", "audit", "auth", "namespaces", "content", "artifacts"},
    "search": {"core", "infra", "namespaces", "artifacts"},
    "snapshots": {"core", "infra", "audit", "namespaces", "content", "artifacts", "admission"},
    "oci": {"core", "infra", "auth", "namespaces", "content", "admission"},
    "web": {"core", "infra", "audit", "auth", "namespaces", "content", "artifacts", "admission", "search", "snapshots"},
    "cli": {"core", "artifacts"},
    "guard": {"core", "infra", "audit", "auth", "namespaces"},
    "rest_guard": {"core", "audit", "auth", "namespaces", "guard"},
    "issuer": {"core", "auth", "namespaces", "guard"},
    "parts": {"core", "infra", "auth", "content", "config"},
    "access": {"core", "infra", "audit", "auth", "content", "config", "guard", "issuer", "parts", "rest_guard"},
    "config": {"core", "config_file"},
    "config_file": set(),
    "worker": {"core", "infra", "audit", "auth", "namespaces", "content", "artifacts", "admission"},
    "app": {
        "artifacts",
        "admission",
        "core",
        "infra",
        "audit",
        "auth",
        "namespaces",
        "content",
        "oci",
        "web",
        "access",
        "config",
        "parts",
        "worker",
    },
    "admin": {"core", "infra", "audit", "auth", "namespaces", "content", "app", "config", "parts", "worker"},
    "__main__": set(),
    "__init__": set(),
}
SDK_HOMES = {
    "aiosmtplib": ("infra/mail.py",),
    "argon2": ("auth/passwords.py",),
    "asyncpg": ("infra/db", "infra/jobs", "audit", "auth", "namespaces", "content", "artifacts", "admission", "admin"),
    "cryptography": ("auth", "signing"),
    "jwt": ("auth/tokens.py",),
    "jsonschema_rs": ("artifacts",),
    "keyring": ("cli",),
    "nodesemver": ("artifacts/versions.py",),
    "resolvelib": ("cli",),
    "rich": ("cli",),
    "wasmtime": ("cli",),
    "yaml": ("artifacts",),
    "redis": ("infra",),
    "uvicorn": ("infra/http",),
    "prometheus_client": ("infra/telemetry", "web", "infra/http"),
    "structlog": ("infra", "worker.py", "admin", "artifacts/jobs.py"),
}
ASYNC_FREE = (
    "core",
    "content/model.py",
    "content/events.py",
    "audit/model.py",
    "auth/model.py",
    "namespaces/access.py",
    "namespaces/model.py",
)
PURE_ARTIFACTS = (
    "capabilities",
    "catalogue",
    "checking",
    "common_schema",
    "evaluator",
    "formats",
    "globs",
    "gtype_shapes",
    "gtypes",
    "hostnames",
    "identity",
    "layers",
    "licenses",
    "model",
    "policy",
    "references",
    "schemas",
    "secrets",
    "states",
    "templating",
    "types",
    "units",
    "versions",
)


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_room_may_see(path: Path) -> None:
    here = room(path)
    seen = {name.split(".")[1] for name in imports(path) if name.startswith("registry.")} - {here, "__version__"}
    assert seen <= ARROWS[here]


def test_a_vendor_library_has_one_home() -> None:
    strays = [
        (library, str(path.relative_to(ROOT)))
        for path in modules()
        for library, homes in SDK_HOMES.items()
        if any(name.split(".")[0] == library for name in imports(path))
        and not str(path.relative_to(ROOT)).startswith(homes)
    ]
    assert strays == []


def test_pure_files_neither_wait_nor_reach_out() -> None:
    for path in modules():
        if str(path.relative_to(ROOT)).startswith(ASYNC_FREE):
            assert "async " not in path.read_text(), path
            assert not any(name.startswith(("registry.infra", "starlette", "asyncpg")) for name in imports(path)), path


def is_pure_artifacts(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return parts[0] == "artifacts" and parts[1].removesuffix(".py") in (*PURE_ARTIFACTS, "__init__")


def test_what_the_client_shares_with_the_registry_is_pure() -> None:
    for path in modules():
        if not (room(path) == "cli" or is_pure_artifacts(path)):
            continue
        shared = {name for name in imports(path) if name.startswith("registry.artifacts.")}
        assert {name.split(".")[2] for name in shared} <= set(PURE_ARTIFACTS), path
        if is_pure_artifacts(path):
            assert "async " not in path.read_text(), path
            rest = {name.split(".")[1] for name in imports(path) if name.startswith("registry.")}
            assert rest <= {"core", "artifacts"}, path


def test_actions_and_statements_know_no_http() -> None:
    for folder in ("content", "artifacts", "search", "snapshots", "admission", "namespaces", "auth", "audit"):
        for path in set((ROOT / folder).glob("*.py")) - {ROOT / folder / "routes.py"}:
            assert not any(name.startswith("starlette") for name in imports(path)), path
