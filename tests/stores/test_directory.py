"""What every ``UserDirectory`` keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.model.login import LinkedIdentity, UserProfile
from broker.stores.directory import SqlDirectory
from broker.stores.directory_sql import IMPORT_BATCH
from broker.stores.engine import SqlEngine

POOL = "eu-west-1_one"
OTHER = "eu-west-1_two"
NOW = 1_800_000_000


@pytest.fixture
def directory(sql: SqlEngine) -> SqlDirectory:
    return SqlDirectory(sql)


def identity_of(subject: str, provider: str = "CorpSAML", *, created_at: int = 1) -> LinkedIdentity:
    return LinkedIdentity(
        user_id=subject,
        provider_name=provider,
        provider_type="SAML",
        issuer="https://idp.example.com",
        primary=True,
        created_at=created_at,
    )


def user_of(subject: str = "anna", *, sub: str = "", pool_id: str = POOL) -> UserProfile:
    return UserProfile(
        pool_id=pool_id,
        sub=sub or f"sub-of-{subject}",
        username=f"CorpSAML_{subject}",
        attributes={"email": f"{subject}@example.com", "custom:dept": "R&D"},
        identities=(identity_of(subject),),
        groups=(f"{pool_id}_CorpSAML",),
        created_at=NOW,
        modified_at=NOW,
    )


class TestReading:
    def test_a_user_is_found_by_identity_sub_and_name(self, directory: SqlDirectory) -> None:
        anna = user_of("anna")
        assert directory.create(anna) == anna
        directory.create(user_of("berta"))
        assert directory.find(POOL, "CorpSAML", "anna") == anna
        assert directory.by_sub(POOL, anna.sub) == anna
        assert directory.by_username(POOL, anna.username) == anna

    def test_nobody_is_none(self, directory: SqlDirectory) -> None:
        assert directory.find(POOL, "CorpSAML", "anna") is None
        assert directory.by_sub(POOL, "sub-of-anna") is None
        assert directory.by_username(POOL, "CorpSAML_anna") is None

    def test_one_pool_does_not_see_anothers_user(self, directory: SqlDirectory) -> None:
        anna = user_of("anna")
        directory.create(anna)
        assert directory.find(OTHER, "CorpSAML", "anna") is None
        assert directory.by_sub(OTHER, anna.sub) is None
        assert directory.by_username(OTHER, anna.username) is None
        assert directory.list(OTHER) == []

    def test_a_subject_at_two_providers_is_two_users(self, directory: SqlDirectory) -> None:
        here = user_of("anna")
        there = replace(
            user_of("anna", sub="other"),
            username="Other_anna",
            identities=(identity_of("anna", "Other"),),
        )
        assert directory.create(here) == here
        assert directory.find(POOL, "Other", "anna") is None
        assert directory.create(there) == there
        assert directory.find(POOL, "CorpSAML", "anna") == here
        assert directory.find(POOL, "Other", "anna") == there

    @pytest.mark.parametrize("subject", ["Anna", "anna ", "änna", "a\u0308nna"])
    def test_subjects_are_compared_code_point_by_code_point(
        self, directory: SqlDirectory, subject: str
    ) -> None:
        directory.create(user_of("anna"))
        directory.create(user_of("ännA"))
        assert directory.find(POOL, "CorpSAML", subject) is None

    def test_a_user_without_identities_and_groups_has_none(self, directory: SqlDirectory) -> None:
        native = replace(user_of("anna"), identities=(), groups=())
        directory.create(native)
        assert directory.by_sub(POOL, native.sub) == native

    def test_all_identities_and_groups_come_once_each(self, directory: SqlDirectory) -> None:
        identities = tuple(
            replace(identity_of("anna", provider, created_at=age), issuer=None, primary=age == 1)
            for age, provider in enumerate(["CorpSAML", "Google", "Apple"], 1)
        )
        anna = replace(user_of("anna"), identities=identities, groups=("a", "b", "c"))
        directory.create(anna)
        assert directory.find(POOL, "Google", "anna") == anna

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        attributes=st.dictionaries(
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1),
            st.text(st.characters(codec="utf-8", exclude_characters="\0")),
        )
    )
    def test_attributes_come_back_as_they_were(
        self, directory: SqlDirectory, attributes: dict[str, str]
    ) -> None:
        directory.delete(POOL, "sub-of-anna")
        directory.create(replace(user_of("anna"), attributes={}))
        directory.write_attributes(POOL, "sub-of-anna", attributes, now=NOW)
        stored = directory.by_sub(POOL, "sub-of-anna")
        assert stored is not None
        assert stored.attributes == attributes


class TestCreation:
    def test_the_second_to_create_a_user_gets_the_first_ones(self, directory: SqlDirectory) -> None:
        first = user_of("anna", sub="first")
        directory.create(first)
        assert directory.create(user_of("anna", sub="second")) == first
        assert directory.by_sub(POOL, "second") is None

    def test_an_identity_that_is_somebodys_leads_to_its_user(self, directory: SqlDirectory) -> None:
        """Linked meanwhile, under another name: no second user comes of it."""
        berta = user_of("berta")
        directory.create(berta)
        anna = identity_of("anna", created_at=2)
        directory.link(POOL, berta.sub, anna)
        stored = directory.create(user_of("anna"))
        assert stored == replace(berta, identities=(*berta.identities, anna))
        assert directory.by_username(POOL, "CorpSAML_anna") is None

    def test_a_name_of_somebody_else_is_refused(self, directory: SqlDirectory) -> None:
        directory.create(user_of("anna"))
        twin = replace(user_of("anna", sub="twin"), identities=(identity_of("ANNA"),))
        assert directory.create(twin) is None
        assert directory.find(POOL, "CorpSAML", "ANNA") is None

    def test_two_pools_have_users_of_the_same_name(self, directory: SqlDirectory) -> None:
        here, there = user_of("anna"), user_of("anna", pool_id=OTHER)
        assert directory.create(here) == here
        assert directory.create(there) == there


class TestChanges:
    def test_attributes_are_merged(self, directory: SqlDirectory) -> None:
        directory.create(user_of("anna"))
        changes = {"email": "new@example.com", "name": 'Änna "A" \U0001d49c'}
        directory.write_attributes(POOL, "sub-of-anna", changes, now=NOW + 5)
        assert directory.by_sub(POOL, "sub-of-anna") == replace(
            user_of("anna"), attributes={**changes, "custom:dept": "R&D"}, modified_at=NOW + 5
        )

    def test_disabling_kills_tokens_and_enabling_does_not_revive_them(
        self, directory: SqlDirectory
    ) -> None:
        anna = user_of("anna")
        directory.create(anna)
        assert directory.set_enabled(POOL, anna.sub, enabled=False, now=NOW + 5)
        disabled = replace(anna, enabled=False, modified_at=NOW + 5, tokens_valid_after=NOW + 5)
        assert directory.by_sub(POOL, anna.sub) == disabled
        assert directory.set_enabled(POOL, anna.sub, enabled=True, now=NOW + 9)
        assert directory.by_sub(POOL, anna.sub) == replace(
            disabled, enabled=True, modified_at=NOW + 9
        )

    def test_signing_out_everywhere_kills_tokens_and_nothing_else(
        self, directory: SqlDirectory
    ) -> None:
        anna = user_of("anna")
        directory.create(anna)
        assert directory.sign_out_everywhere(POOL, anna.sub, now=NOW + 5)
        assert directory.by_sub(POOL, anna.sub) == replace(
            anna, modified_at=NOW + 5, tokens_valid_after=NOW + 5
        )

    def test_signing_out_from_a_provider_is_kept_with_what_it_is_called_there(
        self, directory: SqlDirectory
    ) -> None:
        others = identity_of("anna", provider="OtherSAML")
        anna = replace(user_of("anna"), identities=(*user_of("anna").identities, others))
        directory.create(anna)
        twin = replace(anna, pool_id=OTHER)
        directory.create(twin)
        directory.sign_out_from(POOL, anna.sub, "OtherSAML", now=NOW + 5)
        found = directory.by_sub(POOL, anna.sub)
        assert found is not None
        assert {i.provider_name: i.signed_out_at for i in found.identities} == {
            "CorpSAML": 0,
            "OtherSAML": NOW + 5,
        }
        assert directory.by_sub(OTHER, twin.sub) == twin

    def test_a_deleted_user_leaves_nothing_behind(self, directory: SqlDirectory) -> None:
        anna = user_of("anna")
        directory.create(anna)
        assert directory.delete(POOL, anna.sub)
        assert directory.find(POOL, "CorpSAML", "anna") is None
        again = replace(user_of("anna", sub="again"), groups=())
        assert directory.create(again) == again
        assert directory.by_sub(POOL, "again") == again

    @pytest.mark.parametrize("pool_id", [POOL, OTHER])
    def test_changing_nobody_says_so(self, directory: SqlDirectory, pool_id: str) -> None:
        anna = user_of("anna", pool_id=OTHER if pool_id == POOL else POOL)
        directory.create(anna)
        assert not directory.set_enabled(pool_id, anna.sub, enabled=False, now=NOW)
        assert not directory.sign_out_everywhere(pool_id, anna.sub, now=NOW)
        assert not directory.delete(pool_id, anna.sub)
        assert not directory.link(pool_id, anna.sub, identity_of("x"))
        assert not directory.unlink(pool_id, "CorpSAML", "anna")
        directory.write_attributes(pool_id, anna.sub, {"email": "x"}, now=NOW + 1)
        assert directory.by_sub(anna.pool_id, anna.sub) == anna


class TestLinks:
    def test_a_linked_identity_leads_to_the_user(self, directory: SqlDirectory) -> None:
        anna = user_of("anna")
        directory.create(anna)
        google = replace(identity_of("1234", "Google", created_at=2), primary=False)
        assert directory.link(POOL, anna.sub, google)
        linked = replace(anna, identities=(*anna.identities, google))
        assert directory.find(POOL, "Google", "1234") == linked
        assert directory.unlink(POOL, "Google", "1234")
        assert directory.find(POOL, "Google", "1234") is None
        assert directory.by_sub(POOL, anna.sub) == anna

    def test_an_identity_belongs_to_one_user(self, directory: SqlDirectory) -> None:
        anna, berta = user_of("anna"), user_of("berta")
        directory.create(anna)
        directory.create(berta)
        assert not directory.link(POOL, berta.sub, identity_of("anna"))
        assert not directory.link(POOL, anna.sub, identity_of("anna"))
        assert directory.find(POOL, "CorpSAML", "anna") == anna


class TestListing:
    def test_pages_follow_each_other_by_username(self, directory: SqlDirectory) -> None:
        names = ["Zoe", "anna", "berta", "ömer", "zoe"]
        for name in reversed(names):
            directory.create(replace(user_of(name), groups=("a", "b")))
        first = directory.list(POOL, limit=3)
        second = directory.list(POOL, after_username=first[-1].username, limit=3)
        assert [user.username for user in (*first, *second)] == [
            f"CorpSAML_{name}" for name in sorted(names)
        ]
        assert first[1] == replace(user_of("anna"), groups=("a", "b"))
        assert directory.list(POOL, after_username=second[-1].username) == []


class TestImport:
    def test_stores_whole_profiles_in_batches(self, directory: SqlDirectory) -> None:
        users = [user_of(f"{number:04}") for number in range(IMPORT_BATCH + 3)]
        assert directory.import_many(iter(users)) == []
        assert directory.find(POOL, "CorpSAML", "0000") == users[0]
        assert directory.by_sub(POOL, users[-1].sub) == users[-1]

    def test_may_be_repeated(self, directory: SqlDirectory) -> None:
        users = [user_of("anna"), user_of("berta")]
        later = [replace(user, modified_at=NOW + 9) for user in users]
        for again in (users, users, later):
            assert directory.import_many(again) == []
        assert list(directory.list(POOL)) == users

    @pytest.mark.parametrize("value", ['"\\/\x1f\x7f', "\u2028ü😀", "</script>", "null", "{}", ""])
    def test_what_changes_nothing_writes_nothing(self, directory: SqlDirectory, value: str) -> None:
        """However the database writes its JSON."""
        anna = replace(user_of("anna"), attributes={"a": "1", "zz": value, "b": value})
        news = replace(anna, attributes={"zz": value, "email": value}, modified_at=NOW + 1)
        directory.import_many([anna])
        directory.import_many([news])
        for attributes in (anna.attributes, news.attributes, {}, {"b": value}):
            directory.import_many([replace(anna, attributes=attributes, modified_at=NOW + 2)])
        stored = directory.by_username(POOL, anna.username)
        assert stored is not None
        assert stored.modified_at == NOW + 1
        assert stored.attributes == {**anna.attributes, **news.attributes}

    def test_merges_into_a_user_of_the_same_name(self, directory: SqlDirectory) -> None:
        directory.create(user_of("anna", sub="first"))
        google = identity_of("1234", "Google", created_at=2)
        news = replace(
            user_of("anna", sub="second"),
            attributes={"email": "new@example.com", "name": "Anna"},
            identities=(google,),
            groups=("staff",),
            created_at=NOW + 9,
            modified_at=NOW + 9,
        )
        assert directory.import_many([news]) == []
        assert directory.by_username(POOL, "CorpSAML_anna") == replace(
            user_of("anna", sub="first"),
            attributes={"email": "new@example.com", "name": "Anna", "custom:dept": "R&D"},
            identities=(identity_of("anna"), google),
            groups=(f"{POOL}_CorpSAML", "staff"),
            modified_at=NOW + 9,
        )
        assert directory.by_sub(POOL, "second") is None

    def test_leaves_out_a_user_whose_sub_is_anothers(self, directory: SqlDirectory) -> None:
        directory.create(user_of("anna", sub="same"))
        users = [user_of("berta", sub="same"), user_of("carla")]
        assert directory.import_many(users) == [0]
        assert directory.by_username(POOL, "CorpSAML_berta") is None
        assert directory.find(POOL, "CorpSAML", "berta") is None
        assert directory.by_sub(POOL, "same") == user_of("anna", sub="same")

    def test_does_not_take_an_identity_from_its_user(self, directory: SqlDirectory) -> None:
        anna = user_of("anna")
        directory.create(anna)
        thief = replace(user_of("berta"), identities=(identity_of("anna"),))
        assert directory.import_many([thief]) == [0]
        assert directory.find(POOL, "CorpSAML", "anna") == anna

    def test_whoever_is_left_out_gets_nothing(self, directory: SqlDirectory) -> None:
        anna, berta = user_of("anna"), user_of("berta")
        directory.import_many([anna, berta])
        thief = replace(
            berta,
            sub=anna.sub,
            attributes={"email": "new@example.com"},
            identities=(*berta.identities, identity_of("1234", "Google")),
            groups=("staff",),
        )
        assert directory.import_many([thief]) == [0]
        assert directory.by_username(POOL, berta.username) == berta

    def test_tells_who_was_left_out_of_many(self, directory: SqlDirectory) -> None:
        """In several batches, the last of them not a full one, most of it known already."""
        users = [user_of(f"{number:04}") for number in range(IMPORT_BATCH * 2 + 3)]
        directory.import_many(users)
        for position in (0, IMPORT_BATCH - 1, IMPORT_BATCH, len(users) - 1):
            users[position] = replace(users[position], sub=users[position - 2].sub)
        left_out = directory.import_many(users)
        assert sorted(left_out) == [0, IMPORT_BATCH - 1, IMPORT_BATCH, len(users) - 1]
