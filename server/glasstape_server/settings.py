"""The settings of the server: flags override environment variables, which override a TOML file.

The flag `--data-dir` is the variable GLASSTAPE_DATA_DIR and the TOML key `data_dir`.
"""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from glasstape.address import Address, bracketed, parse_host
from glasstape.barfile.arguments import FIELDS, make_options
from glasstape.barfile.errors import BarFileError
from glasstape.barfile.options import BarFileOptions
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from glasstape_server import environment, setting_values
from glasstape_server.setting_values import BROKERS, ConfigFile, Interval, PlainValues, Replicas, described
from glasstape_server.storage import files

_SOCKETS = ("unix:", "unix-abstract:")
BUNDLED_MODELS = Path(__file__).parent / "models" / "bundled"


class Settings(PlainValues):
    """The server's settings. The text of each field is its help: what it sets, its unit and its default."""

    model_config = SettingsConfigDict(
        env_prefix="GLASSTAPE_",
        extra="forbid",
        allow_inf_nan=False,
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    host: str = "127.0.0.1"
    """Host to listen on, such as 127.0.0.1, ::1 or 0.0.0.0, or host:port, or unix:PATH for a socket of this machine;
    one beyond loopback requires certificates and tokens, or `insecure`"""
    port: int = Field(default=50551, ge=0, le=65535)
    """TCP port; 0 selects a free one, which is printed"""
    insecure: bool = False
    """Allow an address beyond loopback without certificates or tokens"""
    tls_certificate: Path | None = None
    """PEM file of the server's certificate chain; reloaded when it changes"""
    tls_key: Path | None = None
    """PEM file of the certificate's key, readable by its owner only; reloaded when it changes"""
    tls_client_authorities: Path | None = None
    """PEM file of certificate authorities; clients must present a certificate issued by one of them"""
    tokens: Path | None = None
    """Token file, created by `glasstape tokens`; callers are authenticated and authorized"""
    audit_log: Path | None = None
    """File of admitted and refused calls (default: audit.log in the data folder if `tokens` is set, else none)"""
    audit_keep: int = Field(default=8, ge=1, le=1000)
    """Number of older audit log files to keep, 64 MiB each"""
    quota_streams: int = Field(default=0, ge=0)
    """Maximum concurrent streams per caller; 0: no limit"""
    quota_windows: float = Field(default=0, ge=0)
    """Maximum windows to predict per caller and second; 0: no limit"""
    quota_explain: float = Field(default=0, ge=0)
    """Maximum network passes of explanations per caller and minute; 0: no limit"""
    wire: Literal["auto", "grpcio", "native"] = "auto"
    """gRPC implementation: `grpcio`, or `native` (extra `fast`, plaintext only, several times faster); `auto` selects
    native if it is installed and supports the other settings"""
    web_port: int | None = Field(default=None, ge=0, le=65535)
    """TCP port of the web wire, for browsers and `curl`: Connect, gRPC-Web and JSON (extra `web`); 0 selects a free
    one, which is printed (default: none)"""
    web_origins: tuple[str, ...] = ()
    """Origins whose pages may call the web wire, such as https://desk.example.com (default: pages of this server)"""
    production: bool = False
    """Disable server reflection"""
    data_dir: Path = Path("glasstape-data")
    """Folder of bars and journal; one server per folder"""
    allow_shared_storage: bool = False
    """Accept a data folder on a network or FUSE file system, which only one host may use"""
    models_dir: Path = BUNDLED_MODELS
    """Folder of artifacts, NAME/VERSION/manifest.json; polled for new versions"""
    model: str = ""
    """Model that publishes signals: NAME (its newest version) or NAME@VERSION (default: the promoted version, see
    `glasstape models promote`, else the first model by name)"""
    shadow: str = ""
    """Model to compare with the active one on live windows without publishing: NAME or NAME@VERSION, with the same
    feature spec"""
    models_poll_interval: float = Field(default=1.0, gt=0, le=3600)
    """Seconds between two polls of the model folder"""
    interval: Interval = "1d"
    """Bar interval to publish signals for; bars of other intervals are stored only"""
    close_grace: float = Field(default=5.0, ge=0, le=3600)
    """Longest wait for the other symbols of a close, in seconds, if the model ranks them; none in a replay"""
    replay: str = ""
    """Replay history instead of live bars: `sample`, or a CSV or Parquet file, a folder or a pattern of them"""
    replay_from: str = ""
    """First day of a replay with signals, YYYY-MM-DD; earlier bars are history (default: the first day)"""
    replay_to: str = ""
    """Last day of a replay, YYYY-MM-DD (default: the last day)"""
    replay_step: float = Field(default=0.5, ge=0, le=3600)
    """Wall seconds between two bar closes of a replay; 0: no delay"""
    replay_speed: float = Field(default=0.0, ge=0, le=1e9)
    """Market seconds per wall second of a replay; above 0 it replaces `replay_step`"""
    replay_time_zone: str = ""
    """IANA zone of replayed dates and of times without an offset"""
    replay_close: str = ""
    """Local closing time of replayed rows with a date only, HH:MM, up to 24:00"""
    replay_stamp: str = ""
    """Whether replayed times are those of a bar's `open` or `close`"""
    replay_time_unit: str = ""
    """Unit of replayed times that are numbers since 1970: `s`, `ms`, `us` or `ns`"""
    replay_date_order: str = ""
    """Order of year, month and day in replayed dates: `ymd`, `mdy` or `dmy`"""
    replay_decimal: str = ""
    """Decimal sign of replayed numbers: `.` or `,`"""
    replay_column: tuple[str, ...] = ()
    """Titles of the replayed file's columns, KEY=TITLE, by key: symbol, time, date, clock, open, high, low, close,
    volume, adjusted"""
    replay_ignore_column: tuple[str, ...] = ()
    """Titles of columns of the replayed file to ignore"""
    replay_no_volume: bool = False
    """Take 0 where a replayed file has no volume"""
    replay_symbol: str = ""
    """Symbol of a replayed file without such a column (default: the file's name)"""
    replay_rename: tuple[str, ...] = ()
    """Symbols to replay by other names, FROM=TO"""
    replay_night_start: str = ""
    """Local time from which on replayed rows belong to the evening before their date, HH:MM"""
    replay_accept: str = ""
    """Kinds of problems whose rows a replay leaves out, KIND,…: fields, missing, symbol, time, skipped, number"""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$")
    """Device of the networks: `cpu`, `cuda` or `cuda:N`; `auto` selects a CUDA device if there is one"""
    torch_threads: int = Field(default=1, ge=1, le=256)
    """Number of threads of one torch operation"""
    queue_windows: int = Field(default=262_144, ge=1024)
    """Maximum windows waiting for the device; calls beyond it fail with RESOURCE_EXHAUSTED"""
    subscriber_queue: int = Field(default=10_000, ge=16)
    """Maximum buys and outcomes waiting for one subscriber, which is disconnected with its token beyond it"""
    subscriber_patience: float = Field(default=30.0, gt=0, le=3600)
    """Seconds after which a subscriber that reads no message is disconnected with its token"""
    journal_keep: int = Field(default=0, ge=0)
    """Number of events to keep; older ones are removed, and their tokens fail with OUT_OF_RANGE; 0: all"""
    drain_seconds: float = Field(default=5.0, ge=0, le=600)
    """Seconds for calls in progress to finish after SIGTERM"""
    journal_max_age: float = Field(default=0, ge=0, le=36_500)
    """Days to keep events after they were published; older ones are removed as by `journal_keep`; 0: no limit"""
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """Port of /metrics for Prometheus and of the probes /livez, /healthz and /readyz; 0 selects a free one, which is
    printed (default: none)"""
    metrics_host: str = "127.0.0.1"
    """Host of /metrics, which does not authenticate callers and names no symbol and no signal"""
    traces: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """OTLP collector of traces over gRPC, http://HOST:PORT (extra `tracing`; default: no traces)"""
    cluster: str = Field(default="", pattern=BROKERS)
    """Brokers of the cluster to join, nats://HOST:PORT or tls://HOST:PORT, separated by commas (extra `cluster`;
    default: none, the server keeps its own bars and journal)"""
    cluster_name: str = Field(default="glasstape", pattern=r"^[A-Za-z0-9_-]{1,32}$")
    """Name of the cluster, with which its streams on the brokers begin"""
    cluster_replicas: Replicas = 3
    """Brokers that keep each stream of the cluster; 1 survives the loss of no broker"""
    cluster_credentials: Path | None = None
    """Credentials file (JWT and nkey), or file of an nkey's seed, of the brokers' user; readable by its owner only"""
    cluster_authorities: Path | None = None
    """PEM file of the authorities that sign the brokers' certificates (default: those of the system)"""
    log_format: Literal["text", "json"] = "text"
    """Format of log lines"""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest severity to log"""

    @model_validator(mode="before")
    @classmethod
    def _port_of_host(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Split a host that has a port, the form in which `serve` prints its address.

        Raises:
            ValueError: the port is set to another number, too.
        """
        try:
            address = Address.parse(values.get("host", ""))
        except ValueError:
            return values  # without a port, or refused below
        if address.socket and "port" in values:
            raise ValueError(f"host: {address} has no port, and port is {values['port']}; set one of them")
        if len(address.endpoints) != 1:
            return values
        (endpoint,) = address.endpoints
        if str(values.get("port", endpoint.port)) != str(endpoint.port):
            raise ValueError(f"host: has port {endpoint.port}, and port is {values['port']}; set one of them")
        return {**values, "host": endpoint.host, "port": endpoint.port}

    @field_validator("host", "metrics_host")
    @classmethod
    def _host(cls, value: str, info: ValidationInfo) -> str:
        if info.field_name == "host" and value.startswith(_SOCKETS):
            return str(Address.parse(value))
        return parse_host(value)

    @field_validator("tls_key")
    @classmethod
    def _certificate_with_key(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if "tls_certificate" in info.data and (info.data["tls_certificate"] is None) != (value is None):
            raise ValueError("tls_certificate and tls_key must be set together")
        return value

    @field_validator("tls_client_authorities")
    @classmethod
    def _authorities_with_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("tls_certificate") is None:
            raise ValueError("requires tls_certificate and tls_key")
        return value

    @field_validator("web_port")
    @classmethod
    def _host_with_web_port(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and str(info.data.get("host", "")).startswith(_SOCKETS):
            raise ValueError(f"requires a host with ports, host is {info.data['host']}")
        return value

    @field_validator("web_origins")
    @classmethod
    def _known_origins(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(setting_values.parse_origin(value) for value in values)

    @field_validator(*(f"replay_{name}" for name in FIELDS))
    @classmethod
    def _bar_file_option(cls, value: Any, info: ValidationInfo) -> Any:
        name = (info.field_name or "").removeprefix("replay_")
        try:
            make_options({name: value})
        except BarFileError as error:
            raise ValueError(str(error).partition(": ")[2]) from None
        return value

    @property
    def address(self) -> str:
        """Where to listen, as host:port or unix:PATH."""
        return self.served_at(self.port)

    @property
    def has_socket(self) -> bool:
        """Whether to listen on a socket of this machine, which has no port."""
        return self.host.startswith(_SOCKETS)

    def served_at(self, port: int) -> str:
        """Return the address of clients, given the port that the server was assigned."""
        return self.host if self.has_socket else f"{bracketed(self.host)}:{port}"

    @property
    def bar_file_options(self) -> BarFileOptions:
        """What a replayed file does not state itself."""
        return make_options({name: getattr(self, f"replay_{name}") for name in FIELDS})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources by precedence: flags (keywords), environment, the file of `load`."""
        toml = ConfigFile(settings_cls, toml_file=cls.model_config.get("toml_file"))
        return (init_settings, environment.Variables(settings_cls), toml)


def load(flags: dict[str, object], config: Path | None = None) -> Settings:
    """Return validated settings.

    Args:
        flags: values set on the command line, by setting.
        config: TOML file.

    Raises:
        ValueError: a value breaks its rule, or `config` is no file; the text names each field, rule and value.
        OSError: `config` cannot be read.
    """
    if config is not None and not config.is_file():
        raise ValueError(f"--config {config}: {files.no_file(config)}")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    try:
        return FromFile(**flags)  # type: ignore[arg-type]  # validated by pydantic
    except ValidationError as error:
        texts = (described(item, flags) for item in error.errors())
        raise ValueError("settings: " + "; ".join(texts)) from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"--config {config}: {error}") from None
    except ValueError as error:
        raise ValueError(f"--config {error}") from None
    except RecursionError:
        raise ValueError(f"--config {config}: values are nested too deeply") from None


def environment_warnings() -> list[str]:
    """Return warnings about variables that are ignored."""
    return list(environment.warnings(os.environ, Settings.model_fields))
