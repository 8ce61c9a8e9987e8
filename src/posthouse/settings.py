"""What the process needs before it can open its store: `posthouse.toml`, and `POSTHOUSE_…` in the environment.

The environment wins over the file, the file over the defaults. A section's key is joined with two underscores:
`POSTHOUSE_LIMITS__MESSAGE_SIZE`; lists are JSON. `docs/reference.md` lists every key.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as EnvironmentParseError

DEFAULT_FILE = Path("posthouse.toml")
ENV_PREFIX = "POSTHOUSE_"

_SIZE_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_DURATION_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LARGEST = 1 << 50
_LONGEST = 36500.0 * 86400
_PROBLEMS = {
    "model_type": "it should be a section of keys",
    "tuple_type": "it should be a list",
    "int_parsing": "it should be a whole number",
    "int_type": "it should be a whole number",
    "path_type": "it should be a path in quotes",
    "missing": "this key is missing",
}
_QUANTITY = re.compile(r"([0-9]{1,16}(?:\.[0-9]+)?)\s*([A-Za-z]*)")
_PASSWORD = re.compile(r"(//[^:@]*:).*(?=@)|(\?).*")
_HOSTNAME = re.compile(r"(?=.{1,253}\Z)(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


class SettingsError(Exception):
    """The settings cannot be used. Each of `lines` names the key, its value and what is allowed."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def parse_size(text: str) -> int:
    """`"150 MiB"` to bytes; without a unit it is bytes already."""
    match = _QUANTITY.fullmatch(text.strip())
    if not match or (unit := match[2].upper()) not in _SIZE_UNITS:
        raise ValueError('it should be a size like "150 MiB", "64 KB" or 1048576')
    size = int(float(match[1]) * _SIZE_UNITS[unit])
    if size > _LARGEST:
        raise ValueError("it should be at most 1 PiB (1048576 GiB)")
    return size


def parse_duration(text: str) -> float:
    """`"5m"` to seconds; without a unit it is seconds already."""
    match = _QUANTITY.fullmatch(text.strip())
    if not match or match[2] not in _DURATION_UNITS:
        raise ValueError('it should be a duration like "30s", "5m", "4h" or "2d"')
    seconds = float(match[1]) * _DURATION_UNITS[match[2]]
    if seconds > _LONGEST:
        raise ValueError("it should be at most 36500d")
    return seconds


def without_password(store: str) -> str:
    """A store's URL as it may be shown: `postgresql://user:***@host/database?***`."""
    return _PASSWORD.sub(r"\1\2***", store)


def split_address(address: str) -> tuple[str, int]:
    """`"127.0.0.1:25"` or `"[::1]:25"` to IP address and port. Raises `ValueError` for anything else."""
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        ip = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        ip = None
    if not colon or ip is None or bracketed != (ip.version == 6) or not port.isdecimal() or int(port) > 65535:
        raise ValueError('it should be an IP address and a port, like "127.0.0.1:2525" or "[::1]:2525"')
    return str(ip), int(port)


def split_nameserver(nameserver: str) -> tuple[str, int]:
    """`"192.0.2.53"` or `"192.0.2.53:5353"` to IP address and port."""
    try:
        return str(ipaddress.ip_address(nameserver)), 53
    except ValueError:
        return split_address(nameserver)


def _checked_address(address: str) -> str:
    split_address(address)
    return address


def _checked_nameserver(nameserver: str) -> str:
    split_nameserver(nameserver)
    return nameserver


def _checked_network(network: str) -> str:
    try:
        return str(ipaddress.ip_network(network))
    except ValueError:
        raise ValueError('it should be an IP address or network, like "192.0.2.10" or "192.0.2.0/24"') from None


def _checked_hostname(hostname: str) -> str:
    if not _HOSTNAME.fullmatch(hostname):
        raise ValueError('it should be a host name like "relay.contoso.com"')
    return hostname


def _checked_store(store: str) -> str:
    if store != "sqlite" and not store.startswith("postgresql://"):
        raise ValueError('it should be "sqlite" or "postgresql://user:password@host/database"')
    return store


def _checked_issuer(issuer: str) -> str:
    parts = urlsplit(issuer)
    if issuer and (parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment):
        raise ValueError('it should be an address like "https://login.microsoftonline.com/TENANT-ID/v2.0"')
    return issuer


def _checked_retries(retries: tuple[float, ...]) -> tuple[float, ...]:
    if not retries:
        raise ValueError('it should be a list with a duration at least, like ["5m", "1h"]')
    return retries


def _of_text(parse: Callable[[str], float]) -> BeforeValidator:
    """A number is taken as it is, a text parsed."""
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


Size = Annotated[int, _of_text(parse_size), Field(ge=0)]
Seconds = Annotated[float, _of_text(parse_duration), Field(ge=0, allow_inf_nan=False)]
Duration = Annotated[Seconds, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
AbsolutePath = Annotated[Path, AfterValidator(Path.absolute)]
Address = Annotated[str, AfterValidator(_checked_address)]
Nameserver = Annotated[str, AfterValidator(_checked_nameserver)]
Network = Annotated[str, AfterValidator(_checked_network)]
RoleName = Literal["Organization Management", "View-Only Organization Management", "Recipient and Mail Flow Operator"]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Listener(Section):
    """An address and port that SMTP is accepted on."""

    address: Address
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    tls_profile: Literal["modern", "intermediate", "legacy"] = "intermediate"
    certificate: AbsolutePath | None = None
    certificate_password_env: str = ""
    key: AbsolutePath | None = None
    auth_without_tls: bool = False
    bare_lf: Literal["refuse", "repair"] = "refuse"

    @property
    def host(self) -> str:
        return split_address(self.address)[0]

    @property
    def port(self) -> int:
        return split_address(self.address)[1]

    @model_validator(mode="after")
    def _key_has_certificate(self) -> Listener:
        if self.key and not self.certificate:
            raise ValueError("a key needs its certificate: set certificate too")
        return self


class DeliverySettings(Section):
    """When deferred mail is tried again, warned about and given up. The last of `retry_after` repeats."""

    retry_after: Annotated[tuple[Duration, ...], AfterValidator(_checked_retries)] = (60, 300, 900, 1800, 3600)
    warn_after: Duration = 4 * 3600.0
    give_up_after: Duration = 2 * 86400.0
    nameservers: tuple[Nameserver, ...] = ()


class Limits(Section):
    """What one client or message may use. 0 is no limit."""

    message_size: Size = 150 << 20
    recipients: Count = 1000
    sessions: Count = 5000
    sessions_per_client: Count = 50
    min_free: Size = 500 << 20
    trace_keep: Seconds = 30 * 86400.0
    audit_keep: Seconds = 365 * 86400.0


class AdminSettings(Section):
    """Where the REST API listens; empty is off.

    It answers to `names` besides the host name, and believes `proxies` whom they speak for (X-Forwarded-For, -Proto).
    `oidc_roles` are the roles here by values of `oidc_claim`, as the OpenID Connect provider gives them.
    """

    address: Annotated[str, AfterValidator(lambda address: address and _checked_address(address))] = "127.0.0.1:8025"
    names: tuple[Annotated[str, AfterValidator(_checked_hostname)], ...] = ()
    proxies: tuple[Network, ...] = ()
    oidc_issuer: Annotated[str, AfterValidator(_checked_issuer)] = ""
    oidc_client_id: str = ""
    oidc_client_secret_env: str = ""
    oidc_claim: str = "roles"
    oidc_roles: Mapping[str, RoleName] = Field(default_factory=dict[str, RoleName])

    @model_validator(mode="after")
    def _provider_is_whole(self) -> AdminSettings:
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_roles):
            raise ValueError("oidc_issuer needs oidc_client_id and oidc_roles: nobody gets in whom no role is given")
        return self


class Settings(BaseSettings):
    """All of it, checked. Paths are absolute, sizes are bytes, durations seconds."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter="__", validate_default=True
    )

    hostname: Annotated[str, AfterValidator(_checked_hostname)] = Field(default_factory=socket.gethostname)
    data_dir: AbsolutePath = Path("data")
    workers: Count = 2
    store: Annotated[str, AfterValidator(_checked_store)] = "sqlite"
    log: Literal["auto", "console", "json"] = "auto"
    listener: tuple[Listener, ...] = (Listener(address="127.0.0.1:2525"),)
    delivery: DeliverySettings = DeliverySettings()
    limits: Limits = Limits()
    admin: AdminSettings = AdminSettings()

    @property
    def worker_count(self) -> int:
        return self.workers or os.cpu_count() or 1

    @property
    def store_url(self) -> str:
        """The store as SQLAlchemy names it."""
        if self.store == "sqlite":
            return f"sqlite:///{self.data_dir / 'posthouse.db'}"
        return self.store.replace("postgresql://", "postgresql+psycopg://", 1)

    @model_validator(mode="after")
    def _listeners_differ(self) -> Settings:
        addresses = [listener.address for listener in self.listener if listener.port]
        for address in addresses:
            if addresses.count(address) > 1:
                raise ValueError(f"listener: {address} is named twice; each listener needs an address of its own")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The file's values are given as keywords, so the environment goes before them."""
        return env_settings, init_settings


@dataclass(frozen=True, slots=True)
class Sources:
    """What the file and the environment say, before it is checked."""

    file: Path | None
    document: Mapping[str, Any]
    environment: Mapping[str, Any]

    @classmethod
    def read(cls, config: Path | None = None) -> Sources:
        """Read `config`, or `posthouse.toml` in the current folder if it is there, and the environment."""
        file = config or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
        document = _read(file) if file else {}
        try:
            environment = EnvSettingsSource(Settings)()
        except EnvironmentParseError as error:
            raise SettingsError(f"environment: {error}; a list is written as JSON") from None
        return cls(file, document, environment)

    def settings(self) -> Settings:
        try:
            return Settings(**_anchored(self.document, self.file.parent if self.file else Path()))
        except ValidationError as error:
            raise SettingsError(*(self._line(detail) for detail in error.errors(include_url=False))) from None

    def origin(self, key: str) -> str:
        """Where the value of a key like `limits.recipients` came from: the environment, the file, or `default`."""
        path = key.split(".")
        if _holds(self.environment, path):
            return ENV_PREFIX + "__".join(takewhile(lambda part: not part.isdecimal(), path)).upper()
        return str(self.file) if self.file and _holds(self.document, path) else "default"

    def _line(self, detail: ErrorDetails) -> str:
        path = [str(part) for part in detail["loc"]]
        key = ".".join(path)
        origin = self.origin(key)
        place = f"{origin}: " if origin != "default" else ""
        if detail["type"] == "extra_forbidden":
            return f"{place}unknown key {key}; allowed here: {', '.join(_allowed(path[:-1]))}"
        problem = _PROBLEMS.get(detail["type"]) or detail["msg"]
        problem = problem.removeprefix("Value error, ").replace("Input should be", "it should be")
        if isinstance(detail["input"], Mapping | BaseModel):
            return f"{place}{f'{key}: ' if key else ''}{problem}"
        shown = _shown(detail["input"])
        return f"{place}{key} = {without_password(shown) if key == 'store' else shown}: {problem}"


def load(config: Path | None = None) -> Settings:
    """The settings in force. Raises `SettingsError`."""
    return Sources.read(config).settings()


def flatten(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every key with its value, sections and listeners taken apart: `limits.recipients`, `listener.0.tls`."""
    for name, value in model:
        yield from _flattened(f"{prefix}{name}", value)


def _flattened(key: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, BaseModel):
        yield from flatten(value, f"{key}.")
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for index, item in enumerate(value):
            yield from _flattened(f"{key}.{index}", item)
    else:
        yield key, value


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}; name a readable file with --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not TOML: {error}") from None


def _anchored(document: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The document with its relative paths, and the default data_dir, made relative to the folder of its file."""
    anchored = dict(document)
    data_dir = anchored.setdefault("data_dir", "data")
    if isinstance(data_dir, str):
        anchored["data_dir"] = folder / data_dir
    listeners = anchored.get("listener")
    if isinstance(listeners, list):
        anchored["listener"] = [_anchored_listener(listener, folder) for listener in listeners]
    return anchored


_T = TypeVar("_T")


def _anchored_listener(listener: _T, folder: Path) -> _T | dict[str, Any]:
    if not isinstance(listener, dict):
        return listener
    paths = {key: folder / listener[key] for key in ("certificate", "key") if isinstance(listener.get(key), str)}
    return {**listener, **paths}


def _holds(document: Any, path: list[str]) -> bool:
    for part in path:
        if isinstance(document, Mapping) and part in document:
            document = document[part]
        elif isinstance(document, list | tuple) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        else:
            return False
    return True


def _allowed(section: list[str]) -> list[str]:
    models: dict[str, type[BaseModel]] = {
        "listener": Listener, "delivery": DeliverySettings, "limits": Limits, "admin": AdminSettings
    }  # fmt: skip
    model = models[section[0]] if section else Settings
    return list(model.model_fields)


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str | Path) else str(value)
