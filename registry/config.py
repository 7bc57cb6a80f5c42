"""Settings: environment variables and one TOML file, read once into a frozen record.

Each setting is declared once, beside its field of `Settings`; `settings_table()` lists the declarations, and
`docs/configuration.md` is held against it. The environment wins over the file. The file uses the same names in lower
case. An empty value means that the setting is not given.
"""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

from registry.config_file import read_file
from registry.core import setting_forms as form
from registry.core.hosts import is_loopback
from registry.core.rates import Rate
from registry.core.setting_forms import Setting, choice

CONFIG_VARIABLE: Final = "GATI_CONFIG"
EMBEDDED_CONNECTIONS: Final = 50  # of those that the embedded database takes, the ones for web processes


class ConfigurationError(Exception):
    """Settings that cannot hold; `problems` has one sentence for each, all of them at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one process, made by `load`. Sizes are bytes, paths absolute."""

    host: Annotated[str, Setting("HOST", "127.0.0.1", form.HOST, "The address to listen on.")]
    port: Annotated[int, Setting("PORT", "8080", form.PORT, "The TCP port to listen on; 0 takes any free one.")]
    data_dir: Annotated[
        Path,
        Setting("GATI_DATA_DIR", "./data", form.PATH, "The directory of all that the registry keeps on this machine."),
    ]
    access: Annotated[
        str,
        Setting(
            "ACCESS",
            "auto",
            choice("auto", "open", "closed"),
            "Who may pull and push: `open` lets in everybody who reaches the port until the first account is made, "
            "`closed` nobody without one, "
            "`auto` is open on a loopback address and refuses to start on any other.",
        ),
    ]
    web_processes: Annotated[
        int, Setting("WEB_PROCESSES", "1", form.whole(1, 48), "How many processes answer requests.")
    ]
    jobs: Annotated[
        str,
        Setting(
            "JOBS",
            "inline",
            choice("inline", "off"),
            "Whether `serve` runs the background work itself or leaves it to `gati-registry worker`.",
        ),
    ]
    public_url: Annotated[
        str | None,
        Setting("PUBLIC_URL", "", form.ORIGIN, "Where clients reach the registry, if a proxy stands in front of it."),
    ]
    allowed_hosts: Annotated[
        tuple[str, ...],
        Setting(
            "ALLOWED_HOSTS",
            "",
            form.HOSTS,
            "Host names that an open registry answers to besides IP addresses, localhost and that of `PUBLIC_URL`.",
        ),
    ]
    trusted_proxies: Annotated[
        tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...],
        Setting("TRUSTED_PROXIES", "", form.NETWORKS, "Proxies whose `X-Forwarded-For` is believed."),
    ]
    secrets_file: Annotated[
        Path,
        Setting(
            "SECRETS_FILE",
            "",
            form.PATH,
            "The file, made at the first start, of what keys are hashed and sealed with, the same for every process; "
            "without it `secrets.json` in the data directory.",
        ),
    ]
    jwt_secret: Annotated[
        str | None,
        Setting(
            "JWT_SECRET",
            "",
            form.SECRET,
            "What the first key that signs tokens is derived from; without it that is random.",
            secret=True,
        ),
    ] = field(repr=False)
    cors_origins: Annotated[
        tuple[str, ...],
        Setting("CORS_ORIGINS", "", form.ORIGINS, "Web sites whose pages may call an open registry from a browser."),
    ]
    sign_up: Annotated[
        str,
        Setting(
            "SIGN_UP",
            "auto",
            choice("auto", "on", "off"),
            "Whether people may make accounts for themselves: `auto` lets them where mail can be sent and on a "
            "loopback address.",
        ),
    ]
    smtp_url: Annotated[
        str | None,
        Setting(
            "SMTP_URL",
            "",
            form.SMTP,
            "The mail server that takes what the registry writes to people; a password goes to it over TLS alone.",
            secret=True,
        ),
    ] = field(repr=False)
    mail_from: Annotated[
        str | None, Setting("MAIL_FROM", "", form.MAIL_ADDRESS, "The address that mail of the registry comes from.")
    ]
    database_url: Annotated[
        str | None,
        Setting(
            "DATABASE_URL",
            "",
            form.POSTGRES,
            "The PostgreSQL server, 18 or newer; without it the registry runs its own in the data directory.",
            secret=True,
        ),
    ] = field(repr=False)
    database_pool_min: Annotated[
        int, Setting("DATABASE_POOL_MIN", "1", form.COUNT, "Database connections that each process keeps open.", "10")
    ]
    database_pool_max: Annotated[
        int,
        Setting("DATABASE_POOL_MAX", "8", form.COUNT, "Database connections that each process opens at most.", "50"),
    ]
    single_host: Annotated[
        bool,
        Setting(
            "SINGLE_HOST",
            "false",
            form.SWITCH,
            "With `DATABASE_URL`: whether all processes of this registry run on this machine and may answer from "
            "memory; without `DATABASE_URL` they do.",
        ),
    ]
    lane_memory: Annotated[
        int,
        Setting("LANE_MEMORY", "64MiB", form.SIZE, "What each process keeps of answers in memory; 0 keeps none."),
    ]
    storage_url: Annotated[
        Path,
        Setting(
            "STORAGE_URL", "", form.STORE, "The directory of the blobs; without it `storage` in the data directory."
        ),
    ]
    tls_certificate: Annotated[
        Path | None,
        Setting("TLS_CERTIFICATE", "", form.PATH, "The file of the certificate chain in PEM, which turns on HTTPS."),
    ]
    tls_key: Annotated[
        Path | None, Setting("TLS_KEY", "", form.PATH, "The file of the certificate's private key in PEM.")
    ]
    disk_reserve: Annotated[
        int,
        Setting(
            "DISK_RESERVE",
            "512MiB",
            form.SIZE,
            "Free space of the disk that uploads leave alone, so that the database can go on.",
        ),
    ]
    sparse_manifests: Annotated[
        str,
        Setting(
            "SPARSE_MANIFESTS",
            "index",
            choice("none", "index", "all"),
            "Which manifests may refer to content that is not here: none, image indexes, or all.",
        ),
    ]
    max_blob_size: Annotated[
        int | None,
        Setting("MAX_BLOB_SIZE", "", form.SIZE, "The largest blob that is taken in; without it any size is."),
    ]
    max_archive_size: Annotated[
        int,
        Setting("MAX_ARCHIVE_SIZE", "5GiB", form.SIZE, "The largest artifact that `/v1` takes in one piece."),
    ]
    small_blob: Annotated[
        int,
        Setting(
            "SMALL_BLOB",
            "16KiB",
            form.SMALL_SIZE,
            "Blobs up to this size lie in the database, like manifests: one commit makes them durable.",
        ),
    ]
    max_uploads: Annotated[
        int, Setting("MAX_UPLOADS", "1000", form.COUNT, "Upload sessions that may be open in one repository at a time.")
    ]
    metrics_port: Annotated[
        int | None,
        Setting("METRICS_PORT", "", form.PORT, "A further port on which `/metrics` is, for everybody who reaches it."),
    ]
    log_level: Annotated[
        str,
        Setting("LOG_LEVEL", "info", choice("debug", "info", "warning", "error"), "The least severe lines to log."),
    ]
    log_format: Annotated[str, Setting("LOG_FORMAT", "json", choice("json", "console"), "The form of log lines.")]
    grace: Annotated[
        timedelta,
        Setting(
            "GRACE", "24h", form.DURATION, "How long content that nothing refers to stays before the sweep takes it."
        ),
    ]
    orphan_referrers: Annotated[
        timedelta | None,
        Setting(
            "ORPHAN_REFERRERS",
            "30d",
            form.DURATION_OR_KEEP,
            "How long a referrer that was pushed before its subject waits for it; `keep` is for ever.",
        ),
    ]
    upload_expiry: Annotated[
        timedelta, Setting("UPLOAD_EXPIRY", "24h", form.DURATION, "How long an upload session lives without a request.")
    ]
    sweep_interval: Annotated[
        timedelta, Setting("SWEEP_INTERVAL", "60s", form.DURATION, "The pause of the sweep when nothing was due.")
    ]
    rate_limit_general: Annotated[
        Rate | None,
        Setting("RATE_LIMIT_GENERAL", "100/60", form.RATE, "Requests of one address to `/v1`, without a credential."),
    ]
    rate_limit_signed_in: Annotated[
        Rate | None,
        Setting("RATE_LIMIT_SIGNED_IN", "3000/60", form.RATE, "Requests of one account or key to `/v1`."),
    ]
    rate_limit_upload: Annotated[
        Rate | None, Setting("RATE_LIMIT_UPLOAD", "10/60", form.RATE, "Artifacts that one account or key uploads.")
    ]
    rate_limit_transfer: Annotated[
        Rate | None,
        Setting(
            "RATE_LIMIT_TRANSFER",
            "400/4",
            form.RATE,
            "Requests to `/v2` and `/token` of one account or key, or of one address without a credential.",
        ),
    ]
    rate_limit_auth: Annotated[
        Rate | None,
        Setting("RATE_LIMIT_AUTH", "20/60", form.RATE, "Passwords and keys of one address that may be wrong."),
    ]
    redis_url: Annotated[
        str | None,
        Setting(
            "REDIS_URL", "", form.REDIS, "The Redis server where several hosts count requests together.", secret=True
        ),
    ] = field(repr=False)
    retention_interval: Annotated[
        timedelta,
        Setting(
            "RETENTION_INTERVAL",
            "1h",
            form.DURATION,
            "The pause between two runs of the retention policies of namespaces.",
        ),
    ]
    unpublish_window: Annotated[
        timedelta,
        Setting(
            "UNPUBLISH_WINDOW",
            "72h",
            form.DURATION_OR_NEVER,
            "How long after its publication a version may be unpublished; later, or with 0 ever, an admin of its "
            "namespace must force it.",
        ),
    ]
    header_timeout: Annotated[
        timedelta, Setting("HEADER_TIMEOUT", "10s", form.DURATION, "The time for the header section of a request.")
    ]
    body_timeout: Annotated[
        timedelta, Setting("BODY_TIMEOUT", "60s", form.DURATION, "The longest pause inside the body of a request.")
    ]
    shutdown_timeout: Annotated[
        timedelta,
        Setting("SHUTDOWN_TIMEOUT", "30s", form.DURATION, "The time that a stop gives to requests in flight."),
    ]

    max_connections: Annotated[
        int,
        Setting(
            "MAX_CONNECTIONS",
            "10000",
            form.COUNT,
            "Client connections that each process holds at most, as far as it may have descriptors for them.",
        ),
    ]

    @property
    def is_open(self) -> bool:
        """Whether everybody who reaches the port may pull and push."""
        return self.access == "open" or (self.access == "auto" and is_loopback(self.host))

    @property
    def takes_sign_ups(self) -> bool:
        """Whether people may make accounts for themselves."""
        return self.sign_up == "on" or (
            self.sign_up == "auto" and (self.smtp_url is not None or is_loopback(self.host))
        )


def settings_table() -> dict[str, Setting]:
    """Every declaration by the attribute of `Settings` that it fills, in order."""
    hints = get_type_hints(Settings, include_extras=True)
    return {attribute: hint.__metadata__[0] for attribute, hint in hints.items()}


def load_environment(toml: Path | None = None) -> Settings:
    """The settings of this process; see `load`."""
    return load(os.environ, toml)


def load(environ: Mapping[str, str], toml: Path | None = None) -> Settings:
    """The settings of `environ` over those of the file `toml`, else of the file that GATI_CONFIG names.

    Raises:
        ConfigurationError: naming every value that cannot hold, every unknown key, and settings that contradict.
    """
    problems: list[str] = []
    path = toml or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    table = settings_table()
    given = read_file(path, {row.name.lower(): row.name for row in table.values()}, problems) if path else {}
    given |= {row.name: environ[row.name] for row in table.values() if environ.get(row.name)}
    external = bool(given.get("DATABASE_URL", "").strip())
    values = {attribute: _value(row, given.get(row.name, ""), external, problems) for attribute, row in table.items()}
    if values["storage_url"] is None and values["data_dir"] is not None:
        values["storage_url"] = values["data_dir"] / "storage"
    if values["secrets_file"] is None and values["data_dir"] is not None:
        values["secrets_file"] = values["data_dir"] / "secrets.json"
    problems += _contradictions(values, external)
    if problems:
        raise ConfigurationError(problems)
    return Settings(**values)


def _value(row: Setting, text: str, external: bool, problems: list[str]) -> Any:
    try:
        return row.read(text, external=external)
    except ValueError as error:
        problems.append(str(error))
        return None


def _contradictions(values: Mapping[str, Any], external: bool) -> list[str]:
    found = []
    if (values["tls_certificate"] is None) != (values["tls_key"] is None):
        found.append("TLS_CERTIFICATE and TLS_KEY: set both or neither.")
    low, high = values["database_pool_min"], values["database_pool_max"]
    if low is not None and high is not None and low > high:
        found.append(f"DATABASE_POOL_MIN: {low} is more than DATABASE_POOL_MAX, which is {high}.")
    processes = values["web_processes"]
    if high and processes and not external and processes * high > EMBEDDED_CONNECTIONS:
        found.append(
            f"DATABASE_POOL_MAX: {processes} processes with {high} connections each are more than the "
            f"{EMBEDDED_CONNECTIONS} that its own database has for them; lower it or set DATABASE_URL."
        )
    if values["smtp_url"] is not None and values["mail_from"] is None:
        found.append("MAIL_FROM: set it to the address that mail comes from, as SMTP_URL is set.")
    if values["metrics_port"] and values["metrics_port"] == values["port"]:
        found.append("METRICS_PORT: must differ from PORT.")
    if values["access"] == "auto" and values["host"] is not None and not is_loopback(values["host"]):
        found.append(
            f"HOST: {values['host']} can be reached from other machines. Write ACCESS=open to let everybody there "
            "pull, push and delete without an account, or ACCESS=closed to let nobody in without one."
        )
    return found
