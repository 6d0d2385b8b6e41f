"""The one reader of the environment and of ``backupbot.toml``.

Secrets and addresses come from the environment (``NAME``, or ``NAME_FILE`` naming a file that holds the value), everything
else from the file. All mistakes are reported at once, each with its key; an unknown key is a mistake.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StrictBool,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from domain.durations import parse_duration
from domain.errors import SettingsError

SLACK_API_URL = "https://slack.com/api/"
ARM_ENDPOINT = "https://management.azure.com"
GRAPH_ENDPOINT = "https://graph.microsoft.com"

APPROVER = re.compile(r"\*|azure-rbac|email:\S+@\S+|slack:[UW]\w+|slack-group:S\w+|teams:[\w-]+|entra-group:[\w-]+")


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    return parse_duration(value if isinstance(value, str) else str(value))


def _some(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return value


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _people(value: object) -> object:
    entries = _several(value)
    if isinstance(entries, list):
        wrong = [str(entry) for entry in entries if not (isinstance(entry, str) and APPROVER.fullmatch(entry))]
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)} is none of *, azure-rbac, email:a@b, slack:U…, slack-group:S…, teams:<object id>, "
                "entra-group:<id>"
            )
    return entries


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Pause = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_some)]
"""A duration that is not 0: loops rest for it."""
Globs = Annotated[tuple[str, ...], BeforeValidator(_several)]
People = Annotated[tuple[str, ...], BeforeValidator(_people)]


class Section(BaseModel):
    """A part of the file; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Azure(Section):
    """``[azure]``."""

    subscriptions: tuple[str, ...] = ()
    backup_service_object_id: str = ""
    timeout: Pause = timedelta(seconds=25)


class Alerts(Section):
    """``[alerts]``."""

    poll: Duration = timedelta(0)


class Route(Section):
    """``[[route]]``: where incidents of a vault are posted; the first match wins."""

    vault: Globs = ("*",)
    resource_group: Globs = ("*",)
    subscription: Globs = ("*",)
    tag: Globs = ("*",)
    slack: str = ""
    teams: str = ""
    mention: Globs = ()


class RpoRuleSection(Section):
    """``[[rpo.rule]]``."""

    vault: Globs = ("*",)
    item: Globs = ("*",)
    rpo: Pause


class Rpo(Section):
    """``[rpo]``."""

    default: Pause = timedelta(hours=26)
    grace: Duration = timedelta(hours=2)
    rule: tuple[RpoRuleSection, ...] = ()


class ApprovalRule(Section):
    """``[[approvals.rule]]``; the first match wins, no match means nobody may."""

    name: str = ""
    fix: Globs = ("*",)
    vault: Globs = ("*",)
    item: Globs = ("*",)
    risk: Globs = ("*",)
    requesters: People = ()
    approvers: People = ()
    notify: People = ()
    required: Literal[1, 2] = 1
    self_approval: StrictBool = False
    break_glass: People = ()


class Freeze(Section):
    """``[[approvals.freeze]]``: no changes between two moments, each with its offset from UTC."""

    start: AwareDatetime
    end: AwareDatetime
    reason: str = ""


class Approvals(Section):
    """``[approvals]``."""

    expires: Pause = timedelta(hours=4)
    remind: Pause = timedelta(minutes=15)
    rule: tuple[ApprovalRule, ...] = ()
    freeze: tuple[Freeze, ...] = ()


class Fixes(Section):
    """``[fixes]``."""

    enable: tuple[str, ...] = ()
    staging_resource_group: str = ""


class Agents(Section):
    """``[agents]``."""

    minimum_mars: str = "2.0.9249.0"
    minimum_mabs: str = "13.0.0.0"


class Sweep(Section):
    """``[sweep]``."""

    every: Pause = timedelta(minutes=15)


class Jobs(Section):
    """``[jobs]``: how often running jobs are looked at, and how long a proof may take."""

    poll: Pause = timedelta(seconds=30)
    proof_within: Pause = timedelta(hours=24)


class Audit(Section):
    """``[audit]``."""

    sign_key_file: str = ""


class Person(Section):
    """``[people.NAME]``: which accounts belong to one human, where no directory tells."""

    slack: str = ""
    teams: str = ""
    email: str = ""


def _secret(name: str) -> Any:  # noqa: ANN401  (pydantic's Field is typed so)
    return Field(default=SecretStr(""), validation_alias=AliasChoices(name))


def _plain(name: str, default: Any = "") -> Any:  # noqa: ANN401
    return Field(default=default, validation_alias=AliasChoices(name))


class Settings(BaseSettings):
    """Everything that can be set. Secrets do not show in ``repr``."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    database_url: str = _plain("DATABASE_URL", "sqlite:///backupbot.db")
    host: str = _plain("BACKUPBOT_HOST", "127.0.0.1")
    port: int = Field(default=3978, ge=0, le=65535, validation_alias=AliasChoices("BACKUPBOT_PORT"))
    arm_endpoint: str = _plain("BACKUPBOT_ARM_ENDPOINT", ARM_ENDPOINT)
    arm_scope: str = _plain("BACKUPBOT_ARM_SCOPE")
    graph_endpoint: str = _plain("BACKUPBOT_GRAPH_ENDPOINT", GRAPH_ENDPOINT)
    ca_file: str = _plain("BACKUPBOT_CA_FILE")
    clock_url: str = _plain("BACKUPBOT_CLOCK_URL")
    public_url: str = _plain("BACKUPBOT_PUBLIC_URL")
    role_settle: Duration = Field(default=timedelta(minutes=5), validation_alias=AliasChoices("BACKUPBOT_ROLE_SETTLE"))
    job_poll: Pause | None = Field(default=None, validation_alias=AliasChoices("BACKUPBOT_JOB_POLL"))

    slack_bot_token: SecretStr = _secret("SLACK_BOT_TOKEN")
    slack_signing_secret: SecretStr = _secret("SLACK_SIGNING_SECRET")
    slack_app_token: SecretStr = _secret("SLACK_APP_TOKEN")
    slack_api_url: str = _plain("SLACK_API_URL", SLACK_API_URL)

    teams_app_id: str = _plain("TEAMS_APP_ID")
    teams_app_type: Literal["SingleTenant", "UserAssignedMSI"] = _plain("TEAMS_APP_TYPE", "SingleTenant")
    teams_app_password: SecretStr = _secret("TEAMS_APP_PASSWORD")
    teams_tenant_id: str = _plain("TEAMS_TENANT_ID")
    teams_service_url: str = _plain("TEAMS_SERVICE_URL")
    teams_openid_metadata_url: str = _plain("TEAMS_OPENID_METADATA_URL")
    teams_token_issuer: str = _plain("TEAMS_TOKEN_ISSUER")
    teams_outbound_token_url: str = _plain("TEAMS_OUTBOUND_TOKEN_URL")

    webhook_token: SecretStr = _secret("WEBHOOK_TOKEN")
    webhook_entra_audience: str = _plain("WEBHOOK_ENTRA_AUDIENCE")
    webhook_entra_metadata_url: str = _plain("WEBHOOK_ENTRA_METADATA_URL")

    azure_environment: Mapping[str, SecretStr] = Field(default_factory=dict)
    """azure-identity's own variables (``AZURE_*``, ``IDENTITY_*``, ``MSI_*``), passed on to the credentials."""

    proxied: bool = False
    """Whether a proxy is configured for outbound traffic (``HTTPS_PROXY``)."""

    azure: Azure = Azure()
    alerts: Alerts = Alerts()
    route: tuple[Route, ...] = ()
    rpo: Rpo = Rpo()
    approvals: Approvals = Approvals()
    fixes: Fixes = Fixes()
    agents: Agents = Agents()
    sweep: Sweep = Sweep()
    jobs: Jobs = Jobs()
    audit: Audit = Audit()
    people: Mapping[str, Person] = Field(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what :func:`load` hands over: the process's environment is never read behind its back."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def scope(self) -> str:
        """The token scope of ARM."""
        return self.arm_scope or f"{self.arm_endpoint.rstrip('/')}/.default"

    @property
    def simulated(self) -> bool:
        """Whether the cloud is on this machine: then every card says SIMULATED."""
        return is_loopback(self.arm_endpoint)

    @property
    def operator_client_id(self) -> str:
        """The client id of the identity that changes things; "" for a read-only installation."""
        value = self.azure_environment.get("AZURE_OPERATOR_CLIENT_ID")
        return value.get_secret_value() if value else ""

    @property
    def entra_tenant(self) -> str:
        """The tenant that Azure's identities live in."""
        value = self.azure_environment.get("AZURE_TENANT_ID")
        return value.get_secret_value() if value else self.teams_tenant_id

    @property
    def slack_on(self) -> bool:
        """Whether Slack is set up."""
        return bool(self.slack_bot_token.get_secret_value())

    @property
    def teams_on(self) -> bool:
        """Whether Teams is set up."""
        return bool(self.teams_app_id)

    @property
    def webhook_on(self) -> bool:
        """Whether alerts may be posted; without any authentication the route does not exist."""
        return bool(self.webhook_token.get_secret_value() or self.webhook_entra_audience)

    @property
    def poll_every(self) -> timedelta:
        """How often running jobs are looked at."""
        return self.job_poll if self.job_poll is not None else self.jobs.poll


def parts_of(url: str) -> SplitResult:
    """The parts of an address; all empty when it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # a port that is no number raises here
    except ValueError:
        return urlsplit("")
    return parts


def is_loopback(url: str) -> bool:
    """Whether the address is on this machine."""
    return parts_of(url).hostname in {"127.0.0.1", "::1", "localhost"}


def _names(field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else []


_ENVIRONMENT = frozenset(name for field in Settings.model_fields.values() for name in _names(field))
_PASSED_ON = ("AZURE_", "IDENTITY_", "MSI_")
_AZURE_SECRETS = ("CLIENT_SECRET", "PASSWORD")
"""Of azure-identity's own variables those that may stand in a file; its own ``…_FILE`` and ``…_PATH`` stay names."""
_OURS = ("BACKUPBOT_", "TEAMS_", "WEBHOOK_")
_OTHER_OURS = frozenset({"BACKUPBOT_CONFIG"})
_SECTIONS = (
    frozenset(Settings.model_fields)
    - {name for name, field in Settings.model_fields.items() if _names(field)}
    - {"azure_environment", "proxied"}
)


def process_environment() -> Mapping[str, str]:
    """The environment of this process."""
    return os.environ


def load(environ: Mapping[str, str], *, directory: Path | None = None) -> Settings:
    """Read the environment and the file it names (``BACKUPBOT_CONFIG``, default ``backupbot.toml`` where present).

    Raises:
        SettingsError: everything that is wrong, one line each.
    """
    faults: list[str] = []
    values = _from_environment(environ, faults)
    values |= _from_file(environ, directory or Path.cwd(), faults)
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        faults += [_line(one) for one in error.errors()]
        wrong = {str(one["loc"][0]) for one in error.errors() if one["loc"]}
        rest = Settings.model_validate({name: value for name, value in values.items() if name not in wrong})
        faults += [fault for fault in _together(rest) if fault.partition(":")[0] not in wrong]
    else:
        faults += _together(settings)
    if settings is None or faults:
        raise SettingsError(faults)
    return settings


def _from_environment(environ: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    passed_on: dict[str, str] = {}
    for name, text in environ.items():
        base = name.removesuffix("_FILE")
        is_file = name.endswith("_FILE") and name not in _ENVIRONMENT
        known = base in _ENVIRONMENT if is_file else name in _ENVIRONMENT
        if known and is_file:
            if environ.get(base):
                faults.append(f"{name}: {base} is set too; keep one of them")
                continue
            if (content := _content(name, text, faults)) is not None:
                values[base] = content
        elif known:
            if text:
                values[name] = text
        elif name.startswith(_PASSED_ON) and base.endswith(_AZURE_SECRETS) and is_file:
            if (content := _content(name, text, faults)) is not None:
                passed_on[base] = content
        elif name.startswith(_PASSED_ON):
            passed_on.setdefault(name, text)
        elif name.startswith(_OURS) and name not in _OTHER_OURS:
            faults.append(f"{name}: there is no such setting")
    values["azure_environment"] = passed_on
    values["proxied"] = any(environ.get(name) for name in ("HTTPS_PROXY", "https_proxy"))
    return values


def _content(name: str, path: str, faults: list[str]) -> str | None:
    """What a file of a secret holds; None, and a fault, when it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        faults.append(f"{name}: cannot read {path}: {error.strerror}")
    except ValueError:
        faults.append(f"{name}: {path} is not text")
    return None


def _from_file(environ: Mapping[str, str], directory: Path, faults: list[str]) -> dict[str, Any]:
    named = environ.get("BACKUPBOT_CONFIG", "")
    path = Path(named) if named else directory / "backupbot.toml"
    if not named and not path.exists():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        faults.append(f"BACKUPBOT_CONFIG: cannot read {path}: {error.strerror}")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(f"{path}: not a TOML file: {error}")
        return {}
    faults += [f"{path}: {name}: there is no such section" for name in content if name not in _SECTIONS]
    return {name: value for name, value in content.items() if name in _SECTIONS}


def _line(error: Any) -> str:  # noqa: ANN401  (pydantic's ErrorDetails)
    place = ""
    for part in error["loc"]:
        place += f"[{part + 1}]" if isinstance(part, int) else (f".{part}" if place else str(part))
    if error["type"] == "extra_forbidden":
        return f"{place}: there is no such setting"
    given = error.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) and not _is_secret(place) else ""
    return f"{place}: {str(error['msg']).removeprefix('Value error, ')}{shown}"


def _is_secret(place: str) -> bool:
    return any(word in place for word in ("TOKEN", "SECRET", "PASSWORD", "azure_environment"))


def _together(settings: Settings) -> list[str]:
    faults: list[str] = []
    if settings.slack_on and not (
        settings.slack_signing_secret.get_secret_value() or settings.slack_app_token.get_secret_value()
    ):
        faults.append("SLACK_SIGNING_SECRET: needed with SLACK_BOT_TOKEN (or SLACK_APP_TOKEN for Socket Mode)")
    if settings.slack_signing_secret.get_secret_value() and not settings.slack_on:
        faults.append("SLACK_BOT_TOKEN: needed with SLACK_SIGNING_SECRET")
    if settings.teams_on and not settings.teams_tenant_id:
        faults.append("TEAMS_TENANT_ID: needed with TEAMS_APP_ID")
    password = settings.teams_app_password.get_secret_value()
    if settings.teams_on and settings.teams_app_type == "SingleTenant" and not password:
        faults.append("TEAMS_APP_PASSWORD: needed with TEAMS_APP_TYPE = SingleTenant")
    if settings.webhook_entra_audience and not (settings.webhook_entra_metadata_url or settings.entra_tenant):
        faults.append(
            "WEBHOOK_ENTRA_AUDIENCE: needs AZURE_TENANT_ID (or WEBHOOK_ENTRA_METADATA_URL) to check tokens by"
        )
    if settings.clock_url and not (is_loopback(settings.clock_url) and is_loopback(settings.arm_endpoint)):
        faults.append("BACKUPBOT_CLOCK_URL: only for a simulated cloud: it and BACKUPBOT_ARM_ENDPOINT must be loopback")
    for name, url in (
        ("BACKUPBOT_ARM_ENDPOINT", settings.arm_endpoint),
        ("BACKUPBOT_GRAPH_ENDPOINT", settings.graph_endpoint),
    ):
        if parts_of(url).scheme != "https" or not parts_of(url).hostname:
            faults.append(f"{name}: must be https://…, since a bearer token goes there")
    if settings.ca_file and not Path(settings.ca_file).is_file():
        faults.append(f"BACKUPBOT_CA_FILE: no such file: {settings.ca_file}")
    slack = parts_of(settings.slack_api_url)
    if not slack.hostname or (slack.scheme != "https" and not is_loopback(settings.slack_api_url)):
        faults.append("SLACK_API_URL: must be https, or http on this machine")
    if not settings.database_url.startswith(("sqlite:///", "postgresql://")):
        faults.append("DATABASE_URL: must begin with sqlite:/// or postgresql://")
    return faults
