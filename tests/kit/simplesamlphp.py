"""SimpleSAMLphp, Debian's package, as an identity provider on a free loopback port.

Its code and pages stay where the package put them; configuration, keys, sessions and logs live in a
folder of the test. It answers at ``127.0.0.1`` and knows its service provider by the metadata that
the broker publishes, imported by its own converter, as an administrator would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.kit.saml_keys import key_pair
from tests.kit.servers import Server

INSTALLED = Path("/usr/share/simplesamlphp")
ENTITY_ID = "https://simplesamlphp.example/idp"
USER = "alice"
PASSWORD = "a password of the tests"
ATTRIBUTES = {
    "uid": ["alice@simplesamlphp"],
    "mail": ["alice@b.test"],
    "displayName": ["Alice Äöü & <Søn>"],
    "groups": ["staff", "engineering"],
}
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

_HOSTED = {
    "host": "__DEFAULT__",
    "auth": "people",
    "privatekey": "idp.pem",
    "certificate": "idp.crt",
    "signature.algorithm": RSA_SHA256,
    "validate.authnrequest": True,
    "validate.logout": True,
    "redirect.sign": True,
    "sign.logout": True,
    "NameIDFormat": PERSISTENT,
    "SingleLogoutServiceBinding": [
        "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect",
        "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
    ],
    "authproc": {"3": {"class": "saml:AttributeNameID", "attribute": "uid", "Format": PERSISTENT}},
}

_DECODED = "json_decode(file_get_contents(__DIR__ . '/{}.json'), true)"
_CONFIG = f"<?php $config = {_DECODED};"
_METADATA = f"<?php $metadata = {_DECODED};"
_SERVICE_PROVIDER = f"""<?php
require_once '{INSTALLED}/lib/_autoload.php';
$parsed = SimpleSAML\\Metadata\\SAMLParser::parseFile(__DIR__ . '/sp.xml')->getMetadata20SP();
$metadata[$parsed['entityid']] = $parsed;
"""


class SimpleSamlPhp(Server):
    """It reads its configuration for every request, so what is written counts at once."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.url = f"http://127.0.0.1:{self.port}"
        for name in ("cert", "data", "log", "metadata", "sessions", "tmp"):
            (directory / name).mkdir()
        self._write_keys()
        self._write("config", _CONFIG, self._config())
        self._write("authsources", _CONFIG, _people())
        self.set()

    def command(self) -> list[str]:
        settings = {
            "display_errors": "0",  # it is older than this PHP: deprecations would end up in pages
            "opcache.enable_cli": "1",
            "session.save_path": str(self.directory / "sessions"),
        }
        options = [part for name, value in settings.items() for part in ("-d", f"{name}={value}")]
        environ = f"SIMPLESAMLPHP_CONFIG_DIR={self.directory}"
        listen = ["-S", f"127.0.0.1:{self.port}", "-t", str(INSTALLED / "www")]
        return ["env", environ, "php", *options, *listen]

    def ping(self) -> None:
        with urlopen(self.metadata_url) as answer:
            assert answer.status == 200

    @property
    def metadata_url(self) -> str:
        return f"{self.url}/saml2/idp/metadata.php"

    def sign_in_url(self, sp_entity_id: str, relay_state: str) -> str:
        """Where a sign-in begins at the provider: what its portal would link to."""
        query = {"spentityid": sp_entity_id, "RelayState": relay_state}
        return f"{self.url}/saml2/idp/SSOService.php?{urlencode(query)}"

    @property
    def sign_out_url(self) -> str:
        """Where a sign-out begins at the provider, to end at its own page ``signed_out_url``."""
        return f"{self.url}/saml2/idp/initSLO.php?{urlencode({'RelayState': self.signed_out_url})}"

    @property
    def signed_out_url(self) -> str:
        return f"{self.url}/logout.php"

    def trust(self, sp_metadata: bytes) -> None:
        """Import the metadata of the service provider."""
        folder = self.directory / "metadata"
        (folder / "sp.xml").write_bytes(sp_metadata)
        (folder / "saml20-sp-remote.php").write_text(_SERVICE_PROVIDER)

    def set(self, **options: object) -> None:
        """Add ``options`` to the provider's entry in ``saml20-idp-hosted``, in place of earlier ones."""
        entry = {**_HOSTED, **options}
        self._write("metadata/saml20-idp-hosted", _METADATA, {ENTITY_ID: entry})

    def _write(self, name: str, code: str, content: Mapping[str, Any]) -> None:
        """A PHP file of the expected name, which reads its values from the JSON beside it."""
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps(content))
        path.with_suffix(".php").write_text(code.format(path.stem))

    def _write_keys(self) -> None:
        pair = key_pair("simplesamlphp")
        (self.directory / "cert/idp.pem").write_bytes(pair.private_pem)
        (self.directory / "cert/idp.crt").write_bytes(pair.certificate_pem)

    def _config(self) -> dict[str, object]:
        folder = self.directory
        return {
            "baseurlpath": f"{self.url}/",
            "certdir": f"{folder}/cert/",
            "datadir": f"{folder}/data/",
            "loggingdir": f"{folder}/log/",
            "metadatadir": f"{folder}/metadata/",
            "tempdir": f"{folder}/tmp",
            "secretsalt": "a salt of the tests",
            "auth.adminpassword": "an administrator of the tests",
            "technicalcontact_email": "admin@b.test",
            "timezone": "UTC",
            "logging.handler": "file",
            "logging.level": 7,
            "errorreporting": False,
            "showerrors": True,
            "enable.saml20-idp": True,
            "module.enable": {"exampleauth": True, "saml": True, "core": True},
            "session.cookie.samesite": "Lax",
            "session.phpsession.savepath": f"{folder}/sessions",
            "store.type": "phpsession",
            "metadata.sources": [{"type": "flatfile"}],
        }


def _people() -> dict[str, object]:
    return {"people": {"0": "exampleauth:UserPass", f"{USER}:{PASSWORD}": ATTRIBUTES}}


@contextmanager
def running(directory: Path) -> Iterator[SimpleSamlPhp]:
    server = SimpleSamlPhp(directory)
    try:
        server.start()
        yield server
    finally:
        server.kill()
