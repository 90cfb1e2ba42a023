"""Every setting of the server, validated in one place: flags over environment over TOML file.

A flag `--data-dir` is the variable GLASSTAPE_DATA_DIR and the TOML key `data_dir`.
"""

import tomllib
from datetime import time
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from glasstape_server.domain.values import INTERVALS

BUNDLED_MODELS = Path(__file__).parent / "models" / "bundled"


class Settings(BaseSettings):
    """The server's settings. Each field's text is its help, with unit and range."""

    model_config = SettingsConfigDict(
        env_prefix="GLASSTAPE_",
        extra="forbid",
        allow_inf_nan=False,
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    host: str = "127.0.0.1"
    """Address to listen on. Beyond loopback it needs certificates and tokens, or `insecure`."""
    port: int = Field(default=50551, ge=0, le=65535)
    """TCP port; 0 takes a free one and prints it."""
    insecure: bool = False
    """Allow an address beyond loopback without certificates or without tokens."""
    tls_certificate: Path | None = None
    """PEM file of the server's certificate and its chain. Read again when it changes."""
    tls_key: Path | None = None
    """PEM file of its key, which nobody else may read."""
    tls_client_authorities: Path | None = None
    """PEM file of authorities: clients must show a certificate of theirs."""
    tokens: Path | None = None
    """File of tokens, made by `glasstape tokens`: callers must prove who they are and what they may do."""
    audit_log: Path | None = None
    """File of who called what. Default: audit.log in the data folder where `tokens` is given, else none."""
    audit_keep: int = Field(default=8, ge=1, le=1000)
    """Older files of the audit log that are kept beside it, of 64 MiB each."""
    quota_streams: int = Field(default=0, ge=0)
    """Streams that one caller may hold at once. 0: any number."""
    quota_windows: float = Field(default=0, ge=0)
    """Windows that one caller may have predicted in a second. 0: any number."""
    quota_explain: float = Field(default=0, ge=0)
    """Passes of the network that explanations of one caller may take in a minute. 0: any number."""
    wire: Literal["auto", "grpcio", "native"] = "auto"
    """What carries gRPC: `grpcio`, or `native` (extra `fast`, plaintext only), several times faster. `auto`: native
    where it is installed and can do all that is asked."""
    production: bool = False
    """Turn reflection off."""
    data_dir: Path = Path("glasstape-data")
    """Folder of bars and journal. One server per folder."""
    models_dir: Path = BUNDLED_MODELS
    """Folder of artifacts: NAME/VERSION/manifest.json. Watched for new versions."""
    model: str = ""
    """Model that publishes signals: NAME (its newest version) or NAME@VERSION, which pins it. Default: the
    promoted one (`glasstape models promote`), or else the first by name."""
    shadow: str = ""
    """Model that sees every live window, too, and is compared with the active one: NAME or NAME@VERSION, of the same
    feature spec. What it says is counted, never published."""
    models_poll_interval: float = Field(default=1.0, gt=0, le=3600)
    """Seconds between two looks into the model folder."""
    interval: str = "1d"
    """Bar length that is signalled. Bars of other lengths are stored only."""
    replay: str = ""
    """Replay instead of live bars: "sample" or a CSV or Parquet file."""
    replay_from: str = ""
    """First day to signal in a replay, YYYY-MM-DD; earlier bars are history. Default: the first."""
    replay_to: str = ""
    """Last day of a replay, YYYY-MM-DD. Default: the last."""
    replay_step: float = Field(default=0.5, ge=0, le=3600)
    """Wall seconds from one bar close of a replay to the next (bar by bar). 0: as fast as it goes."""
    replay_speed: float = Field(default=0.0, ge=0)
    """Market seconds per wall second. Above 0 it replaces `replay_step`."""
    replay_time_zone: str = "America/New_York"
    """IANA zone of dates without a time in a replayed file."""
    replay_close: str = "16:00"
    """Local closing time of daily bars in a replayed file, HH:MM."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$")
    """Where networks compute: `cpu`, `cuda`, `cuda:N`, or `auto`: a CUDA device where there is one."""
    torch_threads: int = Field(default=1, ge=1, le=256)
    """Threads that torch may use for one operation."""
    queue_windows: int = Field(default=262_144, ge=1024)
    """Windows that may wait for the device; beyond it calls answer RESOURCE_EXHAUSTED."""
    subscriber_queue: int = Field(default=10_000, ge=16)
    """Buys and outcomes that may wait for one reader before it is disconnected with its token."""
    subscriber_patience: float = Field(default=30.0, gt=0, le=3600)
    """Seconds that a reader may leave a message unread before it is disconnected with its token."""
    journal_keep: int = Field(default=0, ge=0)
    """Events to keep; older ones are removed, and their tokens answer OUT_OF_RANGE. 0: all."""
    drain_seconds: float = Field(default=5.0, ge=0, le=600)
    """Seconds that work in flight has to finish after SIGTERM."""
    journal_max_age: float = Field(default=0, ge=0)
    """Days that events are kept after they were published; older ones are removed as by `journal_keep`. 0: for ever."""
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """Port of /metrics for Prometheus; 0 takes a free one and prints it. Default: none."""
    metrics_host: str = "127.0.0.1"
    """Address of /metrics. It asks nobody who he is, and tells no symbol and no signal."""
    traces: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Collector of traces that takes OTLP over gRPC: http://HOST:PORT (extra `tracing`). Default: none."""
    log_format: Literal["text", "json"] = "text"
    """How lines of the log are written: for people, or an object a line."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged."""

    @field_validator("tls_key")
    @classmethod
    def _certificate_with_key(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if "tls_certificate" in info.data and (info.data["tls_certificate"] is None) != (value is None):
            raise ValueError("tls_certificate and tls_key need each other")
        return value

    @field_validator("tls_client_authorities")
    @classmethod
    def _authorities_with_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("tls_certificate") is None:
            raise ValueError("needs tls_certificate and tls_key")
        return value

    @field_validator("interval")
    @classmethod
    def _known_interval(cls, value: str) -> str:
        if value not in INTERVALS:
            raise ValueError(f"must be one of {' '.join(INTERVALS)}, is {value!r}")
        return value

    @field_validator("replay_time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"must be an IANA time zone, is {value!r}") from None
        return value

    @field_validator("replay_close")
    @classmethod
    def _clock_time(cls, value: str) -> str:
        try:
            time.fromisoformat(value)
        except ValueError:
            raise ValueError(f"must be HH:MM, is {value!r}") from None
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags (given as keywords), then environment, then the file that `load` names."""
        toml = TomlConfigSettingsSource(settings_cls, toml_file=cls.model_config.get("toml_file"))
        return (init_settings, env_settings, toml)


def load(flags: dict[str, object], config: Path | None = None) -> Settings:
    """Build the settings.

    Raises:
        ValueError: a value breaks its rule; the text names each field, rule and value.
        FileNotFoundError: `config` does not exist.
    """
    if config is not None and not config.is_file():
        raise FileNotFoundError(f"--config {config}: no such file")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    try:
        return FromFile(**flags)  # type: ignore[arg-type]  # validated by pydantic
    except ValidationError as error:
        raise ValueError("settings: " + "; ".join(map(_in_words, error.errors()))) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"--config {config}: {error}") from None
    except RecursionError:
        raise ValueError(f"--config {config}: values are nested too deeply") from None


def _in_words(item: ErrorDetails) -> str:
    field, rule = ".".join(map(str, item["loc"])), item["msg"].removeprefix("Value error, ")
    return f"{field}: {rule} (value: {item['input']!r})"
