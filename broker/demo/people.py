"""Who signs in at the demo's identity providers: whatever was typed into their form.

Nobody proves anything here. That is the point of the demo's providers, and why they belong on
loopback only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

GROUPS = ("engineering", "finance", "support")
"""What the form offers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The person at the keyboard, by their own account."""

    name: str
    email: str
    groups: tuple[str, ...] = ()


ADA = Person(name="Ada Lovelace", email="ada@example.com", groups=("engineering",))
"""Who the form is prefilled with, and who signs in when the demo does so by itself."""


def person_from(form: MultiDict[str, str]) -> Person:
    """The person a submitted form describes; a form nobody could be is a bad request."""
    name, email = form.get("name", "").strip(), form.get("email", "").strip()
    if not name or "@" not in email or not (name + email).isprintable():
        raise BadRequest("Please give a name and an e-mail address.")
    return Person(name=name, email=email, groups=_known(form.getlist("groups")))


def _known(chosen: Iterable[str]) -> tuple[str, ...]:
    return tuple(group for group in GROUPS if group in set(chosen))
