"""The one reader of environment and file: every mistake at once, each with its key, and no secret shown."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from bot import routing
from bot.settings import Settings, load
from domain.arm import VaultId
from domain.errors import SettingsError

SLACK = {"SLACK_BOT_TOKEN": "xoxb-secret-value", "SLACK_SIGNING_SECRET": "signing-secret-value"}
VAULT = VaultId("11111111-1111-1111-1111-111111111111", "rg-backup", "vault-prod-01")


def read(directory: Path, toml: str = "", **environ: str) -> Settings:
    if toml:
        (directory / "backupbot.toml").write_text(toml, encoding="utf-8")
    return load(environ, directory=directory)


def faults(directory: Path, toml: str = "", **environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read(directory, toml, **environ)
    return caught.value.faults


def test_without_anything_nobody_may_approve(tmp_path: Path) -> None:
    """No file and no environment: defaults, no rules, no routes, no transport, the public cloud."""
    settings = read(tmp_path)

    assert () == settings.approvals.rule
    assert () == settings.route
    assert (False, False, False, False) == (
        settings.slack_on,
        settings.teams_on,
        settings.webhook_on,
        settings.simulated,
    )
    assert "https://management.azure.com/.default" == settings.scope
    assert ("127.0.0.1", 3978, "sqlite:///backupbot.db") == (settings.host, settings.port, settings.database_url)
    assert timedelta(hours=26) == settings.rpo.default


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Wrong values, unknown keys, unknown variables and what does not go together, one line each with its key."""
    found = faults(
        tmp_path,
        """
        nonsense = 1
        [azure]
        tenant = "x"
        [approvals]
        expires = "soon"
        [[approvals.rule]]
        approvers = ["ana"]
        required = 3
        [[route]]
        vualt = "*"
        """,
        SLACK_BOT_TOKEN="xoxb-secret-value",
        BACKUPBOT_PORT="http",
        BACKUPBOT_HOTS="0.0.0.0",  # noqa: S104
        DATABASE_URL="mysql://x",
        BACKUPBOT_ARM_ENDPOINT="http://127.0.0.1:1",
        BACKUPBOT_CA_FILE="/nowhere/ca.pem",
    )
    text = "\n".join(found)

    for key in (
        "nonsense",
        "azure.tenant",
        "approvals.expires",
        "approvals.rule[1].approvers",
        "approvals.rule[1].required",
        "route[1].vualt",
        "BACKUPBOT_PORT",
        "BACKUPBOT_HOTS",
        "SLACK_SIGNING_SECRET",
        "DATABASE_URL",
        "BACKUPBOT_ARM_ENDPOINT",
        "BACKUPBOT_CA_FILE",
    ):
        assert 1 == sum(key == line.split(": ")[1 if key == "nonsense" else 0] for line in found), (
            key,
            text,
        )
    assert "ana is none of" in text
    assert "secret-value" not in text


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ("[approvals]\nexpires = 4", "approvals.expires"),
        ('[approvals]\nexpires = "0s"', "approvals.expires"),
        ('[approvals]\nremind = "0s"', "approvals.remind"),
        ('[jobs]\npoll = "0s"', "jobs.poll"),
        ('[sweep]\nevery = "0s"', "sweep.every"),
        ('[azure]\ntimeout = "0s"', "azure.timeout"),
        ('[rpo]\ndefault = "0s"', "rpo.default"),
        ('[[approvals.freeze]]\nstart = 2026-01-01\nend = "later"', "approvals.freeze[1]"),
        ("azure = 5", "azure"),
        ("[[azure]]\nsubscriptions = []", "azure"),
        ("[[approvals.rule]]\napprovers = [1]", "approvals.rule[1].approvers"),
        ('[[approvals.rule]]\napprovers = ["slack-group:backup"]', "approvals.rule[1].approvers"),
        ('[[approvals.rule]]\napprovers = ["email:*"]', "approvals.rule[1].approvers"),
        ("[[approvals.rule]]\nself_approval = 1", "approvals.rule[1].self_approval"),
        ('[[rpo.rule]]\nvault = "x"', "rpo.rule[1].rpo"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, toml: str, key: str) -> None:
    """A number without a unit is no duration, a poll without a pause would never rest, a rule names people exactly."""
    assert any(fault.startswith(key) for fault in faults(tmp_path, toml, **SLACK))


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"BACKUPBOT_ARM_ENDPOINT": "https://[bad"}, "BACKUPBOT_ARM_ENDPOINT"),
        ({"BACKUPBOT_ARM_ENDPOINT": "https://"}, "BACKUPBOT_ARM_ENDPOINT"),
        ({"BACKUPBOT_ARM_ENDPOINT": "management.azure.com"}, "BACKUPBOT_ARM_ENDPOINT"),
        ({"SLACK_API_URL": "http://slack.example.com/api/"}, "SLACK_API_URL"),
        ({"SLACK_API_URL": "http://[bad"}, "SLACK_API_URL"),
        ({"BACKUPBOT_CLOCK_URL": "http://127.0.0.1:1/"}, "BACKUPBOT_CLOCK_URL"),
        (
            {"BACKUPBOT_CLOCK_URL": "http://10.0.0.1/", "BACKUPBOT_ARM_ENDPOINT": "https://127.0.0.1:1"},
            "BACKUPBOT_CLOCK_URL",
        ),
        ({"BACKUPBOT_PORT": "65536"}, "BACKUPBOT_PORT"),
        ({"BACKUPBOT_ROLE_SETTLE": "90"}, "BACKUPBOT_ROLE_SETTLE"),
        ({"BACKUPBOT_JOB_POLL": "0s"}, "BACKUPBOT_JOB_POLL"),
        ({"TEAMS_APP_ID": "a"}, "TEAMS_TENANT_ID"),
        ({"TEAMS_APP_TYPE": "MultiTenant"}, "TEAMS_APP_TYPE"),
        ({"SLACK_SIGNING_SECRET": "x"}, "SLACK_BOT_TOKEN"),
        ({"WEBHOOK_TOKEN_FILE": "/nowhere"}, "WEBHOOK_TOKEN_FILE"),
        ({"BACKUPBOT_CONFIG": "/nowhere.toml"}, "BACKUPBOT_CONFIG"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, environ: Mapping[str, str], key: str) -> None:
    """Addresses that bearer tokens would go to must be https; a clock may be moved on this machine only."""
    assert any(fault.startswith(key) for fault in faults(tmp_path, **environ))


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    """NAME_FILE for every secret, Azure's own ones included; a federated token file stays a file's name."""
    for name in ("token", "signing", "operator"):
        (tmp_path / name).write_text(f"{name}-value\n", encoding="utf-8")
    settings = read(
        tmp_path,
        SLACK_BOT_TOKEN_FILE=str(tmp_path / "token"),
        SLACK_SIGNING_SECRET_FILE=str(tmp_path / "signing"),
        SLACK_SIGNING_SECRET="",
        AZURE_OPERATOR_CLIENT_ID="0000",
        AZURE_OPERATOR_CLIENT_SECRET_FILE=str(tmp_path / "operator"),
        AZURE_FEDERATED_TOKEN_FILE="/var/run/secrets/token",
    )
    passed_on = {name: value.get_secret_value() for name, value in settings.azure_environment.items()}

    assert "token-value" == settings.slack_bot_token.get_secret_value()
    assert "signing-value" == settings.slack_signing_secret.get_secret_value()
    assert "operator-value" == passed_on["AZURE_OPERATOR_CLIENT_SECRET"]
    assert "/var/run/secrets/token" == passed_on["AZURE_FEDERATED_TOKEN_FILE"]
    assert "-value" not in repr(settings)


def test_a_secret_given_twice_is_a_mistake(tmp_path: Path) -> None:
    """Which of the two counts would be a guess."""
    (tmp_path / "token").write_text("x", encoding="utf-8")

    found = faults(tmp_path, WEBHOOK_TOKEN="y", WEBHOOK_TOKEN_FILE=str(tmp_path / "token"))
    assert found[0].startswith("WEBHOOK_TOKEN_FILE")


def test_a_secret_file_that_is_no_text_is_a_mistake(tmp_path: Path) -> None:
    """Said with its key, not with a traceback."""
    (tmp_path / "token").write_bytes(b"\xff\xfe\x00")

    assert faults(tmp_path, WEBHOOK_TOKEN_FILE=str(tmp_path / "token"))[0].startswith("WEBHOOK_TOKEN_FILE")


def test_a_file_saved_by_windows_is_read(tmp_path: Path) -> None:
    """A byte order mark is no mistake."""
    (tmp_path / "backupbot.toml").write_bytes(b'\xef\xbb\xbf[rpo]\r\ndefault = "4h"\r\n')

    assert timedelta(hours=4) == load({}, directory=tmp_path).rpo.default


def test_a_broken_file_says_where(tmp_path: Path) -> None:
    """The line of a syntax error, and that bytes are no text."""
    (tmp_path / "backupbot.toml").write_text("[rpo\n", encoding="utf-8")
    assert "line 1" in str(faults(tmp_path))
    (tmp_path / "backupbot.toml").write_bytes(b"\xff")
    assert "not a TOML file" in str(faults(tmp_path))


def test_routes_match_by_every_name(tmp_path: Path) -> None:
    """The first route wins; names, groups and tags are globs without regard to case; platforms that are off get nothing."""
    settings = read(
        tmp_path,
        """
        [[route]]
        tag = "owner=ana"
        slack = "C0ANA"
        [[route]]
        vault = ["VAULT-PROD-*", "other"]
        resource_group = "rg-*"
        slack = "C0PROD"
        teams = "19:x"
        mention = ["slack-group:S0ONCALL"]
        [[route]]
        slack = "C0REST"
        """,
        **SLACK,
    )
    route = routing.router(settings)

    assert ["C0PROD"] == [place.channel for place in route(VAULT, {}).places]
    assert ("slack-group:S0ONCALL",) == route(VAULT, {}).mention
    assert ["C0ANA"] == [place.channel for place in route(VAULT, {"Owner": "Ana"}).places]
    assert ["C0REST"] == [place.channel for place in route(VaultId(VAULT.subscription, "x", "y"), {}).places]
