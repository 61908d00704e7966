"""Names of key files: which role a file has, and which of several is in use.

``<role>.<n>.pem``, in a directory for each pool. The roles:

``id-token.<alg>``, ``access-token.<alg>``
    a private key each: an ID token is signed by another key than an access token. The newest signs
``saml-signing``, ``saml-encryption``, and ``saml-encryption@<provider>`` for one provider alone
    a private key and its self-signed certificate. The oldest is in use: the newer ones are
    published, so that identity providers know them before it is retired
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, unquote

from broker.model.pool import SigningAlgorithm

ID_TOKEN, ACCESS_TOKEN = "id-token", "access-token"
SAML_SIGNING, SAML_ENCRYPTION = "saml-signing", "saml-encryption"

TOKEN_ROLES = (ID_TOKEN, ACCESS_TOKEN)
SAML_ROLES = (SAML_SIGNING, SAML_ENCRYPTION)

_NAME = re.compile(r"(?P<role>.+)\.(?P<number>[0-9]{1,9})\.pem")
_OF_PROVIDER = f"{SAML_ENCRYPTION}@"
_LONGEST = 150
"""Of a provider's name in a file name, of which most systems allow 255 characters."""

Files = Mapping[str, Sequence[Path]]
"""Role -> its files, oldest first."""


def files_in(directory: Path) -> Files:
    """Every key file of a pool; other files are left alone. Raises ``OSError``."""
    numbered: dict[str, dict[int, Path]] = {}
    for path in directory.iterdir():
        if match := _NAME.fullmatch(path.name):
            numbered.setdefault(match["role"], {})[int(match["number"])] = path
    return {role: [found[n] for n in sorted(found)] for role, found in numbered.items()}


def next_name(role: str, files: Files) -> str:
    """The name of one more file of ``role``."""
    newest = [_NAME.fullmatch(path.name) for path in files.get(role, ())][-1:]
    number = max((int(match["number"]) for match in newest if match), default=0) + 1
    return f"{role}.{number}.pem"


def token_role(role: str, algorithm: SigningAlgorithm) -> str:
    return f"{role}.{algorithm.value.lower()}"


def provider_role(provider: str) -> str:
    """A name may hold what a file name may not."""
    quoted = quote(provider, safe="")
    if len(quoted) > _LONGEST:
        quoted = f"~{sha256(provider.encode()).hexdigest()}"
    return _OF_PROVIDER + quoted


def provider_of(role: str) -> str | None:
    """Whose encryption role it is; None for a pool's own."""
    return unquote(role.removeprefix(_OF_PROVIDER)) if role.startswith(_OF_PROVIDER) else None
