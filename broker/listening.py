"""Where the broker listens, and by which TLS certificate: asked before anything starts.

granian and its workers find out by crashing. Here every answer is a sentence for whoever starts the
broker, and the same questions are asked again before workers are replaced.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
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
    """Where to listen, and with how many workers.

    ``cpu_affinity``: each has a processor of its own, where there are as many (``processors.py``).
    """

    host: str
    port: int
    workers: int
    cpu_affinity: bool = True
    tls: TlsFiles | None = None
    metrics: MetricsListener | None = None

    @property
    def url(self) -> str:
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{_authority(self.host, self.port)}"

    def ready(self) -> Listener:
        """By addresses in the place of names, after it was shown that all of it can be had.

        Raises ``CannotListenError``.
        """
        if self.tls is not None:
            self.tls.check()
        with ExitStack() as held:  # both at once: they might be the same
            host = held.enter_context(_bound(self.host, self.port, "--"))
            metrics = self.metrics
            if metrics is not None:
                address = _bound(metrics.host, metrics.port, "--metrics-")
                metrics = replace(metrics, host=held.enter_context(address))
            return replace(self, host=host, metrics=metrics)


@contextmanager
def _bound(host: str, port: int, option: str) -> Iterator[str]:
    """The address of ``host``, whose port is taken for the moment."""
    address = _address(host, port, option)
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen()  # before that, Linux would let another socket have it as well
        except OSError as error:
            wrong = "port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "host"
            raise _cannot(host, port, f"{error.strerror}", option + wrong) from error
        yield address


def _address(host: str, port: int, option: str) -> str:
    """Of several the first of IPv4, which is what ``localhost`` means to most."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _cannot(host, port, "the name does not resolve", f"{option}host") from error
    addresses = [str(address) for *_, (address, *_rest) in found]
    return next((each for each in addresses if ":" not in each), addresses[0])


def _cannot(host: str, port: int, problem: str, option: str) -> CannotListenError:
    return CannotListenError(
        f"cannot listen on {_authority(host, port)}: {problem}. Choose another {option}."
    )


def _authority(host: str, port: int) -> str:
    """RFC 3986 3.2.2: an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
