"""Where the broker listens, and by which TLS certificate: asked before anything starts.

granian and its workers find out by crashing. Here every answer is a sentence for whoever starts the
broker, and the same questions are asked again before workers are replaced.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import PublicKeyAlgorithmOID

from broker.metrics import MetricsListener

_RSA_BITS = (2048, 3072, 4096)
_CURVES = ("secp256r1", "secp384r1")
_SERVED = "RSA of 2048, 3072 or 4096 bits, P-256, P-384 or Ed25519"
"""The keys that granian's TLS library signs with."""


class CannotListenError(Exception):
    """What is in the way, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """A certificate chain and its key, as they are on disk now: PEM files."""

    chain: Path
    key: Path

    def check(self) -> None:
        """Raises ``CannotListenError`` if no worker could serve them."""
        if not _is_served(self._leaf()):
            raise self._fault(f"the certificate's key must be {_SERVED}")
        self._require_key()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.chain, self.key, password="")  # or OpenSSL asks a terminal
        except ssl.SSLError as error:
            raise self._fault(_pair_problem(error)) from error

    def _leaf(self) -> x509.Certificate:
        try:
            return x509.load_pem_x509_certificates(self.chain.read_bytes())[0]
        except OSError as error:
            raise self._fault(f"{self.chain} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise self._fault(f"{self.chain} holds no certificate in PEM") from error

    def _require_key(self) -> None:
        try:
            load_pem_private_key(self.key.read_bytes(), password=None)
        except OSError as error:
            raise self._fault(f"{self.key} cannot be read: {error.strerror}") from error
        except TypeError as error:
            raise self._fault(f"{self.key} is encrypted: store it without a passphrase") from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise self._fault(f"{self.key} holds no private key in PEM") from error

    def _fault(self, problem: str) -> CannotListenError:
        return CannotListenError(f"TLS cannot be served: {problem}.")


def _pair_problem(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key does not belong to the certificate (the first of the chain)"
    return f"OpenSSL refuses the pair: {error.reason or error}"


def _is_served(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        is_plain = certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5
        return is_plain and key.key_size in _RSA_BITS
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name in _CURVES
    return isinstance(key, ed25519.Ed25519PublicKey)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where to listen, and with how many workers."""

    host: str
    port: int
    workers: int
    tls: TlsFiles | None = None
    metrics: MetricsListener | None = None

    @property
    def url(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://{self.host}:{self.port}"
