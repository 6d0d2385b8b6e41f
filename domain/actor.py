"""People, as the bot knows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A person on a chat platform.

    ``email`` counts only when ``email_confirmed``. Guests, bots, deactivated users and people of other workspaces or
    tenants may read what they are shown but may not act: see :attr:`may_act`.
    """

    platform: str
    """``slack``, ``teams`` or ``system``."""
    id: str
    """The platform's id: ``U…`` or the Entra object id."""
    name: str = ""
    email: str = ""
    email_confirmed: bool = False
    entra_id: str = ""
    person: str = ""
    """The key of the ``[people]`` entry that joins several accounts of one human."""
    is_bot: bool = False
    is_guest: bool = False
    is_foreign: bool = False
    is_deactivated: bool = False
    known: bool = True
    """False when the directory could not be asked: such a person may ask, but approve only when named by account id."""

    @property
    def may_act(self) -> bool:
        """Whether this account may ask for or decide anything."""
        return self.known and not (self.is_bot or self.is_guest or self.is_foreign or self.is_deactivated)

    @property
    def why_not(self) -> str:
        """Why :attr:`may_act` is False, as a sentence; "" when it is True."""
        reasons = {
            "bots may not act": self.is_bot,
            "guest accounts may not act": self.is_guest,
            "accounts of another workspace or tenant may not act": self.is_foreign,
            "this account is deactivated": self.is_deactivated,
            # Last: to try again helps only whoever could act at all.
            "your account could not be looked up just now": not self.known,
        }
        return next((reason for reason, is_so in reasons.items() if is_so), "")

    @property
    def label(self) -> str:
        """For records and cards: the name, or the id."""
        return self.name or self.email or self.id

    def is_same_human(self, other: "Actor") -> bool:
        """Whether two accounts belong to one human, as far as can be known: same account, person, Entra id or e-mail."""
        if (self.platform, self.id) == (other.platform, other.id):
            return True
        if self.person and self.person == other.person:
            return True
        if self.entra_id and self.entra_id.casefold() == other.entra_id.casefold():
            return True
        return bool(
            self.email
            and self.email_confirmed
            and other.email_confirmed
            and self.email.casefold() == other.email.casefold()
        )

    def is_comparable(self, other: "Actor") -> bool:
        """Whether :meth:`is_same_human` can be told at all: on one platform, or with something that both are known by."""
        return bool(
            self.platform == other.platform
            or (self.person and other.person)
            or (self.entra_id and other.entra_id)
            or (self.email_confirmed and self.email and other.email_confirmed and other.email)
        )

    def record(self) -> dict[str, str]:
        """What the audit keeps of a person."""
        return {
            "platform": self.platform,
            "id": self.id,
            "name": self.name,
            "email": self.email if self.email_confirmed else "",
            "entra_id": self.entra_id,
            "person": self.person,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, str]) -> Self:
        """The person that :meth:`record` wrote down."""
        email = record.get("email", "")
        return cls(
            platform=record.get("platform", ""),
            id=record.get("id", ""),
            name=record.get("name", ""),
            email=email,
            email_confirmed=bool(email),
            entra_id=record.get("entra_id", ""),
            person=record.get("person", ""),
        )


SYSTEM = Actor(platform="system", id="backupbot", name="backupbot")
