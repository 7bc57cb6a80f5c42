"""Settings: what is read, what is refused, and that the documentation and the code say the same."""

import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from registry.config import EMBEDDED_CONNECTIONS, ConfigurationError, Settings, load, settings_table
from registry.core.rates import Rate
from registry.infra.db.postgres_binaries import SETTINGS

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "configuration.md"


def problems_of(environ: dict[str, str], toml: Path | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(environ, toml)
    return caught.value.problems


def test_nothing_configured_is_a_registry_on_this_machine() -> None:
    found = load({})
    assert (found.host, found.port, found.is_open) == ("127.0.0.1", 8080, True)
    assert found.data_dir == Path.cwd() / "data"
    assert found.storage_url == found.data_dir / "storage"
    assert (found.database_pool_min, found.database_pool_max) == (1, 8)


def test_an_external_database_gets_a_larger_pool_unless_it_is_written() -> None:
    url = "postgresql://gati:word@db/gati"
    found = load({"DATABASE_URL": url, "DATABASE_POOL_MIN": "3"})
    assert (found.database_pool_min, found.database_pool_max) == (3, 50)


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("DISK_RESERVE", "1048576", 1 << 20),
        ("DISK_RESERVE", "3 KiB", 3072),
        ("SMALL_BLOB", "1MiB", 1 << 20),
        ("MAX_BLOB_SIZE", "5GiB", 5 << 30),
        ("GRACE", "7d", timedelta(days=7)),
        ("GRACE", "250ms", timedelta(milliseconds=250)),
        ("UPLOAD_EXPIRY", "1.5h", timedelta(minutes=90)),
        ("ORPHAN_REFERRERS", "keep", None),
        ("ALLOWED_HOSTS", " registry.example.org, registry ,", ("registry.example.org", "registry")),
        (
            "CORS_ORIGINS",
            "https://ui.example.org,http://localhost:3000/",
            ("https://ui.example.org", "http://localhost:3000"),
        ),
        ("PUBLIC_URL", "https://registry.example.org:8443/", "https://registry.example.org:8443"),
        ("STORAGE_URL", "file:///srv/blobs", Path("/srv/blobs")),
        ("STORAGE_URL", "blobs", Path.cwd() / "blobs"),
        ("HOST", "[::1]", "::1"),
        ("PORT", "0", 0),
        ("LOG_LEVEL", "debug", "debug"),
        ("RATE_LIMIT_TRANSFER", "400/4", Rate(400, 4)),
        ("RATE_LIMIT_AUTH", "0", None),
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::1", (ip_network("10.0.0.0/8"), ip_network("::1/128"))),
        ("REDIS_URL", "rediss://user:word@redis:6380/1", "rediss://user:word@redis:6380/1"),
        ("REDIS_URL", "unix:///run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_a_value_is_read_in_each_of_its_forms(variable: str, text: str, value: object) -> None:
    attributes = {row.name: attribute for attribute, row in settings_table().items()}
    assert getattr(load({variable: text}), attributes[variable]) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "eighty"),
        ("PORT", "٨٠"),
        ("HOST", "1.2.3"),
        ("HOST", "two words"),
        ("GRACE", "24"),
        ("GRACE", "0s"),
        ("GRACE", "999999999999d"),
        ("DISK_RESERVE", "1GB"),
        ("SMALL_BLOB", "1048577"),
        ("DISK_RESERVE", "-1"),
        ("PUBLIC_URL", "registry.example.org"),
        ("PUBLIC_URL", "https://registry.example.org/path"),
        ("PUBLIC_URL", "https://user@registry.example.org"),
        ("PUBLIC_URL", "http://registry.example.org:99999"),
        ("CORS_ORIGINS", "*"),
        ("ALLOWED_HOSTS", "good,not good"),
        ("STORAGE_URL", "gs://bucket"),
        ("STORAGE_URL", "file://other-host/path"),
        ("TLS_KEY", "~nobody-of-this-name/key.pem"),
        ("ACCESS", "Open"),
        ("JOBS", "on"),
        ("WEB_PROCESSES", "0"),
        ("DATABASE_URL", "mysql://db/gati"),
        ("RATE_LIMIT_GENERAL", "100"),
        ("RATE_LIMIT_GENERAL", "0/60"),
        ("RATE_LIMIT_GENERAL", "100/0"),
        ("RATE_LIMIT_GENERAL", "-1/60"),
        ("RATE_LIMIT_GENERAL", "100/60s"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "proxy.example.org"),
        ("REDIS_URL", "redis:6379"),
        ("REDIS_URL", "http://redis"),
        ("REDIS_URL", "redis://:6379"),
        ("REDIS_URL", "redis://redis:x"),
    ],
)
def test_a_value_that_cannot_hold_is_refused_with_its_name(variable: str, text: str) -> None:
    assert any(problem.startswith(f"{variable}: ") for problem in problems_of({variable: text}))


def test_every_bad_value_is_reported_at_once() -> None:
    found = problems_of({"PORT": "x", "GRACE": "soon", "TLS_KEY": "key.pem", "DATABASE_POOL_MIN": "9"})
    assert [problem.partition(":")[0] for problem in found] == [
        "PORT",
        "GRACE",
        "TLS_CERTIFICATE and TLS_KEY",
        "DATABASE_POOL_MIN",
    ]


def test_metrics_cannot_have_the_port_of_the_registry() -> None:
    assert problems_of({"PORT": "5000", "METRICS_PORT": "5000"}) == ["METRICS_PORT: must differ from PORT."]


def test_processes_cannot_want_more_connections_than_the_own_database_has() -> None:
    (problem,) = problems_of({"WEB_PROCESSES": "16"})
    assert problem.startswith("DATABASE_POOL_MAX: 16 processes with 8 connections each are more than the 50 ")
    assert load({"WEB_PROCESSES": "16", "DATABASE_POOL_MAX": "3"}).web_processes == 16
    assert load({"WEB_PROCESSES": "16", "DATABASE_URL": "postgresql://db/gati"}).web_processes == 16


def test_the_own_database_takes_the_connections_of_all_processes_and_of_a_command() -> None:
    assert int(SETTINGS["max_connections"]) >= EMBEDDED_CONNECTIONS + 8


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "registry.example.org"])
def test_an_address_that_others_reach_needs_access_to_be_written(host: str) -> None:
    (problem,) = problems_of({"HOST": host})
    assert "ACCESS=open" in problem
    assert "without an account" in problem
    assert load({"HOST": host, "ACCESS": "open"}).is_open
    assert not load({"HOST": host, "ACCESS": "closed"}).is_open


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_a_loopback_address_is_open_by_itself(host: str) -> None:
    assert load({"HOST": host}).is_open
    assert not load({"HOST": host, "ACCESS": "closed"}).is_open


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "gati.toml"
    file.write_text('port = 5000\nhost = "::1"\nallowed_hosts = ["a.example", "b.example"]\n')
    found = load({"PORT": "6000", "HOST": ""}, file)
    assert (found.port, found.host, found.allowed_hosts) == (6000, "::1", ("a.example", "b.example"))
    assert load({"GATI_CONFIG": str(file)}).port == 5000


def test_unknown_names_in_the_file_are_reported_with_the_one_that_was_meant(tmp_path: Path) -> None:
    file = tmp_path / "gati.toml"
    file.write_text("prot = 5000\nPORT = 5000\nnonsense = 1\ngrace = true\n")
    first, second, third, fourth = problems_of({}, file)
    assert "no setting 'prot'. Did you mean 'port'?" in first
    assert "no setting 'PORT'. Did you mean 'port'?" in second
    assert third.endswith("there is no setting 'nonsense'.")
    assert "grace must be a text, a whole number or a list of texts" in fourth


def test_a_file_that_cannot_be_read_is_one_of_the_problems(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("port = ")
    missing, port = problems_of({"PORT": "x"}, tmp_path / "missing.toml")
    assert "missing.toml: cannot be read: No such file" in missing
    assert port.startswith("PORT: ")
    assert "is not TOML" in problems_of({}, broken)[0]


def test_the_password_of_the_database_is_never_shown() -> None:
    secret = "pässword-9f3"
    assert secret not in repr(load({"DATABASE_URL": f"postgresql://gati:{secret}@db/gati"}))
    assert secret not in str(problems_of({"DATABASE_URL": f"mysql://gati:{secret}@db/gati"}))


def test_the_password_of_redis_is_never_shown() -> None:
    secret = "pässword-9f3"
    assert secret not in repr(load({"REDIS_URL": f"redis://:{secret}@redis"}))
    assert secret not in str(problems_of({"REDIS_URL": f"http://:{secret}@redis"}))


def documented() -> dict[str, tuple[str, str, str]]:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \| (.+?) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert len(rows) == len({row[0] for row in rows}), "a setting is documented twice"
    return {name: (default, form, description) for name, default, form, description in rows}


def test_the_documentation_lists_every_setting_as_it_is() -> None:
    declared = {}
    for row in settings_table().values():
        default = f"`{row.default}`" if row.default else "not set"
        if row.default_external:
            default += f", with `DATABASE_URL` `{row.default_external}`"
        declared[row.name] = (default, row.form.text, row.description)
    assert documented() == declared


def test_every_description_is_one_sentence() -> None:
    odd = [row.name for row in settings_table().values() if not re.fullmatch(r"[A-Z`].*[^.]\.", row.description)]
    assert odd == []


def test_no_setting_is_without_effect() -> None:
    files = [path for path in (ROOT / "registry").rglob("*.py") if path.name != "config.py"]
    code = "\n".join(path.read_text() for path in files)
    ignored = [name for name in Settings.__dataclass_fields__ if not re.search(rf"(ettings|found)\.{name}\b", code)]
    assert ignored == []
