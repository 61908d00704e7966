"""The floor: what RS256 tokens and a signed assertion cost in cryptography alone, measured here and now."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_ROUNDS = 15
_PER_ROUND = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Milliseconds of CPU for one RSA-2048 operation with SHA-256."""

    sign: float
    verify: float

    def of(self, *, signatures: int, verifications: int = 0) -> float:
        return signatures * self.sign + verifications * self.verify


def measure() -> Floor:
    """Medians over rounds, in this process."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public, data = key.public_key(), b"x" * 1024
    signature = key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return Floor(
        sign=_cpu_ms(lambda: key.sign(data, padding.PKCS1v15(), hashes.SHA256())),
        verify=_cpu_ms(lambda: public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())),
    )


def _cpu_ms(operation: Callable[[], object]) -> float:
    rounds = []
    for _ in range(_ROUNDS):
        start = time.process_time()
        for _ in range(_PER_ROUND):
            operation()
        rounds.append((time.process_time() - start) / _PER_ROUND * 1000)
    return statistics.median(rounds)
