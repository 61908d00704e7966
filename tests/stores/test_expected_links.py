"""What every ``ExpectedLinks`` keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.login.links import MAX_EXPECTED
from broker.model.login import ExpectedLink, LinkedIdentity, UserProfile
from broker.stores.directory import SqlDirectory
from broker.stores.engine import SqlEngine
from broker.stores.expected_links import SqlExpectedLinks

POOL, OTHER = "eu-west-1_one", "eu-west-1_two"
ANNA = UserProfile(pool_id=POOL, sub="sub-anna", username="anna")
LINK = ExpectedLink(
    provider_name="Corp", attribute="email", value="anna@example.com", sub=ANNA.sub, created_at=1
)
IDENTITY = LinkedIdentity(
    user_id="anna-at-corp",
    provider_name="Corp",
    provider_type="SAML",
    issuer=None,
    primary=False,
    created_at=2,
)


@pytest.fixture
def directory(sql: SqlEngine) -> SqlDirectory:
    directory = SqlDirectory(sql)
    directory.create(ANNA)
    directory.create(replace(ANNA, pool_id=OTHER))
    return directory


@pytest.fixture
def links(directory: SqlDirectory, sql: SqlEngine) -> SqlExpectedLinks:
    return SqlExpectedLinks(sql)


def test_a_link_is_kept(links: SqlExpectedLinks) -> None:
    assert links.add(POOL, LINK)
    assert links.of_user(POOL, ANNA.sub) == [LINK]
    assert links.attributes_of(POOL, "Corp") == {"email"}


def test_one_value_waits_for_one_user(links: SqlExpectedLinks, directory: SqlDirectory) -> None:
    directory.create(replace(ANNA, sub="sub-berta", username="berta"))
    assert links.add(POOL, LINK)
    assert not links.add(POOL, replace(LINK, sub="sub-berta"))
    assert not links.add(POOL, LINK)


def test_nobody_cannot_be_linked(links: SqlExpectedLinks) -> None:
    assert not links.add(POOL, replace(LINK, sub="sub-nobody"))


def test_a_link_is_redeemed_once_and_then_an_identity(
    links: SqlExpectedLinks, directory: SqlDirectory
) -> None:
    links.add(POOL, LINK)
    assert links.redeem(POOL, "email", LINK.value, IDENTITY)
    found = directory.find(POOL, "Corp", "anna-at-corp")
    assert found is not None
    assert (found.sub, found.identities) == (ANNA.sub, (IDENTITY,))
    assert not links.redeem(POOL, "email", LINK.value, replace(IDENTITY, user_id="other"))
    assert links.of_user(POOL, ANNA.sub) == []


@pytest.mark.parametrize(
    ("attribute", "value", "provider"),
    [
        ("email", "ANNA@example.com", "Corp"),
        ("name", LINK.value, "Corp"),
        ("email", LINK.value, "Other"),
        ("email", LINK.value + "\0", "Corp"),
    ],
)
def test_nothing_else_redeems_it(
    links: SqlExpectedLinks, attribute: str, value: str, provider: str
) -> None:
    links.add(POOL, LINK)
    identity = replace(IDENTITY, provider_name=provider)
    assert not links.redeem(POOL, attribute, value, identity)
    assert links.of_user(POOL, ANNA.sub) == [LINK]


def test_an_identity_of_somebody_else_leaves_the_link(
    links: SqlExpectedLinks, directory: SqlDirectory
) -> None:
    directory.create(replace(ANNA, sub="sub-berta", username="berta", identities=(IDENTITY,)))
    links.add(POOL, LINK)
    assert not links.redeem(POOL, "email", LINK.value, IDENTITY)
    assert links.of_user(POOL, ANNA.sub) == [LINK]


def test_pools_do_not_see_each_other(links: SqlExpectedLinks) -> None:
    links.add(POOL, LINK)
    assert not links.redeem(OTHER, "email", LINK.value, IDENTITY)
    assert not links.remove(OTHER, "Corp", "email", LINK.value)
    assert links.of_user(OTHER, ANNA.sub) == []
    assert links.attributes_of(OTHER, "Corp") == frozenset()
    assert links.add(OTHER, LINK)


def test_removed_is_removed(links: SqlExpectedLinks) -> None:
    links.add(POOL, LINK)
    assert links.remove(POOL, "Corp", "email", LINK.value)
    assert not links.remove(POOL, "Corp", "email", LINK.value)
    assert not links.redeem(POOL, "email", LINK.value, IDENTITY)


def test_the_longest_value_is_a_key_that_databases_take(links: SqlExpectedLinks) -> None:
    """In characters of four bytes that cannot be packed, at the longest names there may be."""
    long = "".join(chr(0x10000 + number * 7919 % 0x10000) for number in range(MAX_EXPECTED))
    link = replace(LINK, value=long, provider_name=long[:32], attribute=f"custom:{long[:20]}")
    assert links.add(POOL, link)
    assert links.of_user(POOL, ANNA.sub) == [link]


def test_the_links_of_a_deleted_user_are_gone(
    links: SqlExpectedLinks, directory: SqlDirectory
) -> None:
    links.add(POOL, LINK)
    directory.delete(POOL, ANNA.sub)
    assert not links.redeem(POOL, "email", LINK.value, IDENTITY)
