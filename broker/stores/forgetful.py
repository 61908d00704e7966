"""A memory of nothing, for commands that only look: see ``wiring.connectors``."""

from __future__ import annotations


class ForgetfulReplayGuard:
    """``ports.ReplayGuard`` that marks nothing: what is looked at is not used up."""

    def seen(self, pool_id: str, scope: str, key: str) -> bool:  # noqa: ARG002  # the port's
        return False

    def first_time(self, pool_id: str, scope: str, key: str, *, until: float) -> bool:  # noqa: ARG002  # the port's
        return True
