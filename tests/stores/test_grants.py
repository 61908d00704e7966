"""What every ``RefreshTokenStore`` keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.model.login import LinkedIdentity, UserProfile
from broker.model.stored import Rotation
from broker.model.tokens import HeldFamily, TokenFamily, TokenHolder
from broker.stores.directory import SqlDirectory
from broker.stores.engine import SqlEngine
from broker.stores.grants import SqlGrants
from tests.kit.clock import ManualClock

POOL = "eu-west-1_one"
OTHER = "eu-west-1_two"
LIFETIME = 30 * 86400


@pytest.fixture
def grants(sql: SqlEngine, clock: ManualClock) -> SqlGrants:
    return SqlGrants(sql, clock=clock)


@pytest.fixture
def family(clock: ManualClock) -> TokenFamily:
    now = int(clock.now())
    return TokenFamily(
        pool_id=POOL,
        origin_jti="family-1",
        client_id="1client",
        sub="sub-1",
        scopes=("openid", "api/read"),
        auth_time=now - 60,
        issued_at=now,
        expires_at=now + LIFETIME,
        resource="https://api.example.com",
        provider="CorpSAML",
    )


ANNA = UserProfile(
    pool_id=POOL,
    sub="sub-1",
    username="CorpSAML_anna",
    attributes={"email": "anna@example.com"},
    identities=tuple(
        LinkedIdentity(
            user_id="anna",
            provider_name=provider,
            provider_type="SAML",
            issuer=None,
            primary=False,
            created_at=1,
        )
        for provider in ("CorpSAML", "OtherSAML")
    ),
    groups=("administrators", "readers"),
)


@pytest.fixture
def anna(sql: SqlEngine) -> UserProfile:
    stored = SqlDirectory(sql).create(ANNA)
    assert stored is not None
    return stored


def family_of(held: HeldFamily | None) -> TokenFamily | None:
    return None if held is None else held.family


def is_revoked(grants: SqlGrants, origin_jti: str) -> bool:
    """As whoever uses an access token of that family is told."""
    SqlDirectory(grants._sql).create(ANNA)
    holder = grants.holder(POOL, ANNA.sub, origin_jti)
    assert holder is not None
    return holder.revoked


class TestHolder:
    """Whose a token is comes with the token."""

    def test_of_a_refresh_token(
        self, grants: SqlGrants, family: TokenFamily, anna: UserProfile
    ) -> None:
        grants.start(family, "token")
        held = HeldFamily(family=family, user=anna)
        assert grants.find(POOL, "token") == grants.lookup(POOL, "token") == held

    def test_of_an_access_token(self, grants: SqlGrants, anna: UserProfile) -> None:
        grants.revoke(POOL, "family-2", remember_until=1)
        assert grants.holder(POOL, anna.sub, "family-1") == TokenHolder(user=anna, revoked=False)
        assert grants.holder(POOL, anna.sub, "family-2") == TokenHolder(user=anna, revoked=True)

    def test_who_was_deleted_is_none(
        self, sql: SqlEngine, grants: SqlGrants, family: TokenFamily, anna: UserProfile
    ) -> None:
        grants.start(family, "token")
        SqlDirectory(sql).delete(POOL, anna.sub)
        assert grants.find(POOL, "token") == HeldFamily(family=family, user=None)
        assert grants.holder(POOL, anna.sub, family.origin_jti) is None

    def test_of_another_pool_is_not_seen(
        self, grants: SqlGrants, family: TokenFamily, anna: UserProfile
    ) -> None:
        """Also where two pools have the same ``sub``, and the same name for a family."""
        elsewhere = replace(family, pool_id=OTHER)
        grants.start(elsewhere, "token")
        assert grants.find(OTHER, "token") == HeldFamily(family=elsewhere, user=None)
        assert grants.holder(OTHER, anna.sub, family.origin_jti) is None
        grants.revoke(OTHER, family.origin_jti, remember_until=1)
        assert not is_revoked(grants, family.origin_jti)


def test_a_family_is_found_by_its_token(grants: SqlGrants, family: TokenFamily) -> None:
    grants.start(family, "token")
    assert family_of(grants.find(POOL, "token")) == family
    assert family_of(grants.lookup(POOL, "token")) == family


def test_absent_facts_stay_absent(grants: SqlGrants, family: TokenFamily) -> None:
    bare = replace(family, resource=None, provider=None, scopes=())
    grants.start(bare, "token")
    assert family_of(grants.find(POOL, "token")) == bare


def test_an_unknown_token_is_none(grants: SqlGrants) -> None:
    assert grants.find(POOL, "token") is None
    assert grants.lookup(POOL, "token") is None
    assert grants.rotate(POOL, "token", "new", grace=60) is Rotation.UNKNOWN


def test_one_pool_does_not_see_anothers_family(grants: SqlGrants, family: TokenFamily) -> None:
    grants.start(family, "token")
    assert grants.find(OTHER, "token") is None
    assert grants.lookup(OTHER, "token") is None
    assert grants.rotate(OTHER, "token", "new", grace=60) is Rotation.UNKNOWN
    grants.revoke(OTHER, family.origin_jti, remember_until=family.expires_at)
    grants.revoke_user(OTHER, family.sub)
    assert not is_revoked(grants, family.origin_jti)
    assert family_of(grants.find(POOL, "token")) == family


def test_an_expired_family_is_known_but_not_alive(
    grants: SqlGrants, family: TokenFamily, clock: ManualClock
) -> None:
    grants.start(family, "token")
    clock.advance(family.expires_at - clock.now() - 1)
    assert family_of(grants.find(POOL, "token")) == family
    clock.advance(1)
    assert grants.find(POOL, "token") is None
    assert grants.rotate(POOL, "token", "new", grace=60) is Rotation.UNKNOWN
    assert family_of(grants.lookup(POOL, "token")) == family


class TestRotation:
    def test_replaces_the_token_and_not_the_family(
        self, grants: SqlGrants, family: TokenFamily
    ) -> None:
        grants.start(family, "old")
        assert grants.rotate(POOL, "old", "new", grace=0) is Rotation.ROTATED
        assert family_of(grants.find(POOL, "new")) == family
        assert grants.find(POOL, "old") is None
        assert family_of(grants.lookup(POOL, "old")) == family

    def test_reuse_without_grace_is_seen_at_once_and_adds_nothing(
        self, grants: SqlGrants, family: TokenFamily
    ) -> None:
        grants.start(family, "old")
        grants.rotate(POOL, "old", "new", grace=0)
        assert grants.rotate(POOL, "old", "stolen", grace=0) is Rotation.REUSED
        assert grants.lookup(POOL, "stolen") is None

    def test_within_the_grace_period_both_new_tokens_are_good(
        self, grants: SqlGrants, family: TokenFamily, clock: ManualClock
    ) -> None:
        grants.start(family, "old")
        grants.rotate(POOL, "old", "new-1", grace=10)
        clock.advance(9)
        assert family_of(grants.find(POOL, "old")) == family
        assert grants.rotate(POOL, "old", "new-2", grace=10) is Rotation.IN_GRACE
        assert family_of(grants.find(POOL, "new-1")) == family
        assert family_of(grants.find(POOL, "new-2")) == family

    def test_the_grace_period_begins_with_the_first_rotation(
        self, grants: SqlGrants, family: TokenFamily, clock: ManualClock
    ) -> None:
        grants.start(family, "old")
        grants.rotate(POOL, "old", "new-1", grace=10)
        clock.advance(9)
        grants.rotate(POOL, "old", "new-2", grace=10)
        clock.advance(1)
        assert grants.rotate(POOL, "old", "new-3", grace=10) is Rotation.REUSED
        assert grants.find(POOL, "old") is None
        assert grants.lookup(POOL, "new-3") is None

    def test_of_a_revoked_family_finds_nothing(
        self, grants: SqlGrants, family: TokenFamily
    ) -> None:
        grants.start(family, "old")
        grants.revoke(POOL, family.origin_jti, remember_until=family.expires_at)
        assert grants.rotate(POOL, "old", "new", grace=60) is Rotation.UNKNOWN
        assert grants.lookup(POOL, "new") is None

    def test_goes_on_from_the_new_token(self, grants: SqlGrants, family: TokenFamily) -> None:
        grants.start(family, "0")
        for step in range(3):
            assert grants.rotate(POOL, f"{step}", f"{step + 1}", grace=0) is Rotation.ROTATED
        assert family_of(grants.find(POOL, "3")) == family


class TestRevocation:
    def test_kills_every_token_of_the_family(self, grants: SqlGrants, family: TokenFamily) -> None:
        grants.start(family, "old")
        grants.rotate(POOL, "old", "new", grace=60)
        grants.revoke(POOL, family.origin_jti, remember_until=family.expires_at)
        grants.revoke(POOL, family.origin_jti, remember_until=family.expires_at)
        assert is_revoked(grants, family.origin_jti)
        assert grants.find(POOL, "old") is None
        assert grants.find(POOL, "new") is None
        assert family_of(grants.lookup(POOL, "new")) == family

    def test_may_come_before_its_family(self, grants: SqlGrants, family: TokenFamily) -> None:
        grants.revoke(POOL, family.origin_jti, remember_until=family.issued_at + 3600)
        grants.start(family, "token")
        assert grants.find(POOL, "token") is None
        assert grants.lookup(POOL, "token") is None
        assert is_revoked(grants, family.origin_jti)

    def test_leaves_other_families_alone(self, grants: SqlGrants, family: TokenFamily) -> None:
        other = replace(family, origin_jti="family-2")
        grants.start(family, "token-1")
        grants.start(other, "token-2")
        grants.revoke(POOL, family.origin_jti, remember_until=family.expires_at)
        assert family_of(grants.find(POOL, "token-2")) == other
        assert not is_revoked(grants, other.origin_jti)

    def test_of_a_user_kills_all_that_users_families(
        self, grants: SqlGrants, family: TokenFamily
    ) -> None:
        second = replace(family, origin_jti="family-2", client_id="2client")
        foreign = replace(family, origin_jti="family-3", sub="sub-2")
        for each in (family, second, foreign):
            grants.start(each, each.origin_jti)
        grants.revoke_user(POOL, family.sub)
        grants.revoke_user(POOL, family.sub)
        assert is_revoked(grants, "family-1")
        assert is_revoked(grants, "family-2")
        assert family_of(grants.find(POOL, "family-3")) == foreign

    def test_of_a_user_may_be_that_of_one_provider(
        self, grants: SqlGrants, family: TokenFamily
    ) -> None:
        """With the families of which nobody knows by whom they came."""
        for provider in ("CorpSAML", "OtherSAML", None):
            grants.start(
                replace(family, origin_jti=f"by {provider}", provider=provider), f"{provider}"
            )
        grants.rotate(POOL, "OtherSAML", "next", grace=0)
        grants.revoke_user(POOL, family.sub, "CorpSAML")
        assert is_revoked(grants, "by CorpSAML")
        assert is_revoked(grants, "by None")
        held = family_of(grants.find(POOL, "next"))
        assert held is not None
        assert held.provider == "OtherSAML"


class TestSweep:
    def test_removes_expired_tokens_alone(
        self, grants: SqlGrants, family: TokenFamily, clock: ManualClock
    ) -> None:
        grants.start(family, "short")
        grants.start(replace(family, expires_at=family.expires_at + 60), "long")
        assert grants.sweep() == 0
        clock.advance(LIFETIME)
        assert grants.sweep() == 1
        assert grants.lookup(POOL, "short") is None
        assert grants.lookup(POOL, "long") is not None

    def test_keeps_a_mark_while_its_family_could_be_alive(
        self, grants: SqlGrants, family: TokenFamily, clock: ManualClock
    ) -> None:
        """Otherwise a revoked refresh token would come back to life."""
        grants.start(family, "token")
        grants.revoke(POOL, family.origin_jti, remember_until=family.issued_at + 60)
        clock.advance(LIFETIME - 1)
        grants.sweep()
        assert grants.find(POOL, "token") is None
        assert is_revoked(grants, family.origin_jti)

    def test_keeps_a_mark_as_long_as_it_was_asked_to(
        self, grants: SqlGrants, family: TokenFamily, clock: ManualClock
    ) -> None:
        grants.start(family, "token")
        grants.revoke(POOL, family.origin_jti, remember_until=family.expires_at + 60)
        grants.revoke(POOL, family.origin_jti, remember_until=family.expires_at)
        clock.advance(LIFETIME + 59)
        grants.sweep()
        assert is_revoked(grants, family.origin_jti)
        clock.advance(1)
        grants.sweep()
        assert not is_revoked(grants, family.origin_jti)

    def test_keeps_a_users_marks_beyond_the_last_access_token(
        self, grants: SqlGrants, family: TokenFamily, clock: ManualClock
    ) -> None:
        grants.start(family, "token")
        grants.revoke_user(POOL, family.sub)
        clock.advance(LIFETIME + 86_399)
        grants.sweep()
        assert is_revoked(grants, family.origin_jti)
        clock.advance(1)
        grants.sweep()
        assert not is_revoked(grants, family.origin_jti)
