"""The Bicep file and the guide name what the bot really reads."""

import re
from pathlib import Path

from bot.settings import Settings
from bot.transports import teams_addresses

ROOT = Path(__file__).parents[2]


def settings_names() -> set[str]:
    """Every TEAMS_ variable that the bot reads."""
    return {
        str(name)
        for field in Settings.model_fields.values()
        for name in getattr(field.validation_alias, "choices", ())
        if str(name).startswith("TEAMS_")
    }


def test_the_guide_names_every_setting_and_no_other() -> None:
    """A renamed variable shows here."""
    guide = (ROOT / "docs" / "teams-setup.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\bTEAMS_[A-Z_]+\b", guide))
    assert named - {"TEAMS_APP_PASSWORD_FILE"} == settings_names()


def test_the_guides_addresses_may_get_the_token() -> None:
    """What the guide says to set is taken, and the public cloud's address is the one that is used."""
    guide = (ROOT / "docs" / "teams-setup.md").read_text(encoding="utf-8")
    addresses = re.findall(r"`(https://smba[^`]+)`", guide)
    assert len(addresses) == 4
    assert all(teams_addresses.ServiceUrls().allowed(one) for one in addresses)
    assert teams_addresses.FIRST_CONTACT in addresses


def test_the_template_makes_both_kinds_of_application() -> None:
    """Its types are those of the setting, its outputs carry the names of the settings, its braces are closed."""
    template = (ROOT / "deploy" / "teams.bicep").read_text(encoding="utf-8")
    kinds = set(Settings.model_fields["teams_app_type"].annotation.__args__)  # type: ignore[union-attr]
    assert kinds == set(re.findall(r"\? '(\w+)' : '(\w+)'", template)[0])
    assert {"TEAMS_APP_ID", "TEAMS_APP_TYPE", "TEAMS_TENANT_ID"} == set(re.findall(r"'(TEAMS_\w+)'", template))
    assert "channelName: 'MsTeamsChannel'" in template
    assert all(template.count(one) == template.count(other) for one, other in ("{}", "()", "[]"))
