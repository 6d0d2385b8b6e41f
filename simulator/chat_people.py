"""The demo cast: who appears in the simulated workspace and tenant, with both platforms' ids, in one place."""

from dataclasses import dataclass

SLACK_TEAM = "T0CONTOSO"
TENANT_ID = "c0ffee00-0000-4000-8000-00000000c0de"
BACKUP_CHANNEL = "C0BACKUP"
TEAMS_CHANNEL = "19:backups@thread.tacv2"
TEAMS_GROUP_CHAT = "19:oncall@thread.v2"
ON_CALL_GROUP = "S0ONCALL"
APPROVER_GROUP = "S0BACKUP"


@dataclass(frozen=True)
class Person:
    """Somebody on both platforms; the flags say what Slack knows of the account (all false: an ordinary member)."""

    name: str
    email: str
    slack_id: str
    aad_id: str
    role: str = "member"
    email_confirmed: bool = True
    is_bot: bool = False
    deleted: bool = False
    restricted: bool = False
    ultra_restricted: bool = False
    stranger: bool = False
    slack_team: str = SLACK_TEAM
    tenant_id: str = TENANT_ID
    tz: str = "Europe/Berlin"

    @property
    def handle(self) -> str:
        """The short user name, e.g. `ana`."""
        return self.email.partition("@")[0]

    @property
    def teams_id(self) -> str:
        """The bot-specific Teams id, `29:` and an opaque rest."""
        return f"29:1-{self.handle}"


def _aad(number: int) -> str:
    return f"00000000-0000-4000-a000-{number:012d}"


MAX = Person("Max Weber", "max@contoso.com", "U0MAX", _aad(1), "on call")
ANA = Person("Ana Lima", "ana@contoso.com", "U0ANA", _aad(2), "approver")
BEN = Person("Ben Okafor", "ben@contoso.com", "U0BEN", _aad(3), "second approver")
EVE = Person("Eve Novak", "eve@contoso.com", "U0EVE", _aad(4), "stranger")
GUEST = Person("Gus Guest", "gus@fabrikam.com", "U0GUEST", _aad(5), "guest", restricted=True)
SINGLE_CHANNEL_GUEST = Person(
    "Sia Single", "sia@fabrikam.com", "U0SINGLE", _aad(6), "guest", restricted=True, ultra_restricted=True
)
EXTERNAL = Person(
    "Xaver Extern",
    "xaver@fabrikam.com",
    "U0EXTERN",
    _aad(7),
    "external",
    stranger=True,
    slack_team="T0FABRIKAM",
    tenant_id="fab00000-0000-4000-8000-0000000fab00",
)
GONE = Person("Gil Gone", "gil@contoso.com", "U0GONE", _aad(8), "deactivated", deleted=True)
UNCONFIRMED = Person("Uma Unsure", "uma@contoso.com", "U0UNSURE", _aad(9), "unconfirmed", email_confirmed=False)
ROBOT = Person("Robby Robot", "robby@contoso.com", "U0ROBOT", _aad(10), "bot", is_bot=True)

CAST: tuple[Person, ...] = (
    MAX,
    ANA,
    BEN,
    EVE,
    GUEST,
    SINGLE_CHANNEL_GUEST,
    EXTERNAL,
    GONE,
    UNCONFIRMED,
    ROBOT,
)
PERSONAS: tuple[Person, ...] = (MAX, ANA, EVE)
