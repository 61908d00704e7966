"""``broker users``, against the broker that serves beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from broker.cli import main
from tests.kit.apps import App, body
from tests.kit.clock import ManualClock
from tests.kit.world import EMAIL_CLAIM, World, saml_provider

POOL = "eu-west-1_Test01"
SUB = "8f0e4c1a-1111-4222-8333-444455556666"


class Console:
    """A terminal on the machine of a world's broker."""

    def __init__(self, folder: Path, certs: Path) -> None:
        self._config = str(folder / "broker.yaml")
        self._environ = {
            "BROKER_STATE_DIR": str(folder / "var"),
            "BROKER_CERTS_DIR": str(certs),
        }

    def run(self, command: str, *arguments: str, text: str | bytes | None = None) -> Result:
        return CliRunner().invoke(
            main,
            ["users", command, "--config", self._config, *arguments],
            input=text,
            env=self._environ,
            prog_name="broker",
        )

    def ok(self, command: str, *arguments: str, text: str | bytes | None = None) -> str:
        result = self.run(command, *arguments, text=text)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    def refused(self, command: str, *arguments: str, text: str | bytes | None = None) -> str:
        result = self.run(command, *arguments, text=text)
        assert result.exit_code != 0, result.output
        assert "Traceback" not in result.output
        return result.output

    def show(self, username: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.ok("show", username))
        return shown

    def names(self, *arguments: str) -> list[str]:
        return [json.loads(line)["Username"] for line in self.ok("list", *arguments).splitlines()]


@pytest.fixture
def console(world: World, tmp_path: Path, certs: Path) -> Console:
    return Console(tmp_path / "world-0", certs)


@pytest.fixture
def app(world: World) -> App:
    return App.of(world)


def line(username: str = "Corp_alice", pool_id: str = POOL, **members: Any) -> str:
    return json.dumps({"UserPoolId": pool_id, "Username": username, **members}) + "\n"


def attributes(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def claims(app: App, name_id: str = "alice", **changes: str | None) -> dict[str, Any]:
    """The ID token of a fresh sign-in."""
    return app.world.verified(App.of(app.world).tokens(name_id=name_id, **changes)["id_token"])


# -- import ----------------------------------------------------------------------------------


def test_an_imported_user_signs_in_as_who_it_was(console: Console, app: App) -> None:
    given = line(Sub=SUB, UserAttributes=attributes(email="alice@old.test", family_name="Old"))
    assert "1 stored, 0 refused" in console.ok("import", "--file", "-", text=given)
    token = claims(app)
    assert (token["sub"], token["cognito:username"]) == (SUB, "Corp_alice")
    assert token["family_name"] == "Old"
    assert token["cognito:groups"] == [f"{POOL}_Corp"]
    assert token["identities"][0]["primary"] == "true"


def test_importing_again_changes_nothing_but_what_is_new(console: Console) -> None:
    first = line(Sub=SUB, UserAttributes=attributes(email="a@x.test", name="Alice"))
    console.ok("import", "--file", "-", text=first)
    before = console.show("Corp_alice")
    console.ok("import", "--file", "-", text=first)
    console.ok("import", "--file", "-", text=line(UserAttributes=attributes(email="b@x.test")))
    after = console.show("Corp_alice")
    assert after["Sub"] == before["Sub"] == SUB
    shown = {each["Name"]: each["Value"] for each in after["UserAttributes"]}
    assert (shown["email"], shown["name"]) == ("b@x.test", "Alice")
    assert console.names() == ["Corp_alice"]


def test_importing_again_writes_nothing(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    given = line(Sub=SUB, UserAttributes=attributes(email="a@x.test", name="Zo\u00eb"))
    monkeypatch.setattr("broker.wiring.SystemClock.now", lambda self: 1_700_000_000.0)
    console.ok("import", "--file", "-", text=given)
    before = console.show("Corp_alice")
    monkeypatch.setattr("broker.wiring.SystemClock.now", lambda self: 1_700_000_060.0)
    assert "1 stored, 0 refused" in console.ok("import", "--file", "-", text=given)
    assert console.show("Corp_alice") == before
    news = line(UserAttributes=attributes(email="b@x.test"))
    console.ok("import", "--file", "-", text=news)
    assert console.show("Corp_alice")["UserLastModifiedDate"] == 1_700_000_060


def test_members_that_mean_nothing_here_are_let_through(console: Console) -> None:
    given = line(Groups=["a"], cohort={"b": [1]}, UserAttributes=attributes(email="a@x.test"))
    console.ok("import", "--file", "-", text=given)
    shown = console.show("Corp_alice")["UserAttributes"]
    assert {"Name": "email", "Value": "a@x.test"} in shown


def test_what_list_users_prints_can_be_imported(console: Console) -> None:
    """As ``aws cognito-idp list-users`` does, and the file may come from any editor."""
    members = {"Enabled": True, "UserStatus": "EXTERNAL_PROVIDER", "MFAOptions": []}
    given = line(Attributes=attributes(email="a@x.test"), **members)
    console.ok("import", "--file", "-", text="\ufeff" + given + "\n")
    shown = console.show("Corp_alice")["UserAttributes"]
    assert {"Name": "email", "Value": "a@x.test"} in shown


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"UserAttribute": []}, "UserAttribute: unknown member; did you mean UserAttributes?"),
        ({"enabled": False}, "enabled: unknown member; did you mean Enabled?"),
        (
            {"Enabled\x1b[2J": 1},
            "Enabled?[2J: unknown member; did you mean Enabled?",
        ),
        (
            {"Attributes": [], "UserAttributes": []},
            "Attributes: means the same as UserAttributes (keep one).",
        ),
    ],
)
def test_a_member_that_is_misspelt_or_said_twice_refuses_the_line(
    console: Console, members: dict[str, Any], reason: str
) -> None:
    assert refused_lines(console, line(**members)) == {1: reason}


@pytest.mark.parametrize(
    "rest", ["bad", "[1,", '"\\x"', "[" * 100_000], ids=["words", "cut off", "escape", "deep"]
)
def test_a_line_with_two_faults_is_refused_and_no_more(console: Console, rest: str) -> None:
    """The first fault ends the reading: what follows it may be no JSON at all."""
    text = '{"UserPoolId": 5, "x": ' + rest + "\n" + line("Corp_b")
    assert list(refused_lines(console, text)) == [1]
    assert console.names() == ["Corp_b"]


@pytest.mark.parametrize(
    "given",
    [
        line(UserAttributes=attributes(**{"custom:\x1b[2J": "x"})),
        line(**{"Enabled\x1b[2J": 1}),
    ],
    ids=["attribute", "member"],
)
def test_what_a_line_holds_is_no_command_to_the_terminal(console: Console, given: str) -> None:
    (reason,) = refused_lines(console, given).values()
    assert "?[2J" in reason
    assert reason.isprintable()


def test_identities_nested_without_end_refuse_the_line(console: Console) -> None:
    deep = '[{"userId": "a", "providerName": "Corp", "primary": true, "dateCreated": 1, "x": '
    given = line(UserAttributes=attributes(identities=deep + "[" * 100_000))
    reason = "attribute identities: it is not what Cognito writes."
    assert refused_lines(console, given) == {1: reason}


def test_refused_lines_come_in_their_order(console: Console) -> None:
    """Whether it is the line or the directory that refuses them."""
    text = line(Sub=SUB) + line("Corp_b", Sub=SUB) + "not json\n" + line("Corp_c", Sub=SUB) + "{\n"
    assert list(refused_lines(console, text)) == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("username", "reason"),
    [
        ("Corp_", "Username: what comes after the provider and _: it is empty."),
        ("Corp_a\tb", "Username: what comes after the provider and _: it has control characters."),
        ("Corp_" + "a" * 124, "Username: at most 128 characters"),
    ],
)
def test_what_is_wrong_with_a_name_is_said(console: Console, username: str, reason: str) -> None:
    assert refused_lines(console, line(username)) == {1: reason}


def test_what_list_prints_can_be_imported(console: Console, app: App) -> None:
    app.tokens()
    listed = console.ok("list")
    console.ok("delete", "--yes", "Corp_alice")
    console.ok("import", "--file", "-", text=listed)
    assert console.show("Corp_alice")["Sub"] == json.loads(listed)["Sub"]


def test_what_cognito_lists_can_be_imported(console: Console) -> None:
    identities = json.dumps(
        [
            {"userId": "alice", "providerName": "Corp", "primary": True, "dateCreated": 1},
            {"userId": "al", "providerName": "Corp", "primary": False, "dateCreated": "2"},
            {"userId": "x", "providerName": "Gone", "primary": False, "dateCreated": 3},
        ]
    )
    given = attributes(sub=SUB, identities=identities, email="a@x.test", email_verified="true")
    members = {"Enabled": True, "UserStatus": "EXTERNAL_PROVIDER", "UserCreateDate": 1.5}
    console.ok("import", "--file", "-", text=line(UserAttributes=given, **members))
    shown = console.show("Corp_alice")
    assert shown["Sub"] == SUB
    (listed,) = [a["Value"] for a in shown["UserAttributes"] if a["Name"] == "identities"]
    assert [(i["userId"], i["primary"]) for i in json.loads(listed)] == [
        ("al", False),
        ("alice", True),
    ]


def test_a_disabled_user_is_imported_disabled(console: Console, app: App) -> None:
    console.ok("import", "--file", "-", text=line(Enabled=False))
    assert app.answer()["error"] == "invalid_request"
    # ... and one who is there becomes disabled, and stays so.
    bob = line("Corp_bob")
    console.ok("import", "--file", "-", text=bob + line("Corp_bob", Enabled=False) + bob)
    assert console.show("Corp_bob")["Enabled"] is False


def test_refused_lines_are_named_and_the_others_stored(console: Console) -> None:
    good = line("Corp_alice", Sub=SUB)
    text = "".join(
        [
            good,
            "not json\n",
            "\n",
            line("Corp_a", pool_id="eu-west-1_Other"),
            line("Nobody_a"),
            line("alice"),
            line("Corp_"),
            line("Corp_" + "a" * 124),
            line("Corp_a", UserAttributes=attributes(shoe_size="44")),
            line("Corp_a", UserAttributes=attributes(birthdate="yesterday")),
            line("Corp_a", UserAttributes=attributes(identities="[")),
            line("Corp_a", UserAttributes=attributes(name="a\0b")),
            line("Corp_a", Sub="\u00e9"),
            line("Corp_b", Sub=SUB),
            json.dumps([1]) + "\n",
            json.dumps({"UserPoolId": POOL}) + "\n",
            line("Corp_zoe"),
        ]
    )
    result = console.run("import", "--file", "-", text=text)
    assert result.exit_code == 1
    refused = {int(r.split(":")[0].removeprefix("line ")): r for r in result.stderr.splitlines()}
    assert sorted(refused) == [2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
    assert "shoe_size" in refused[9]
    assert "yesterday" not in result.output
    assert "2 stored, 14 refused" in result.stdout
    assert console.names() == ["Corp_alice", "Corp_zoe"]


def refused_lines(console: Console, text: str) -> dict[int, str]:
    result = console.run("import", "--file", "-", text=text)
    lines = (line.partition(": ") for line in result.stderr.splitlines())
    return {int(number.removeprefix("line ")): reason for number, _, reason in lines}


def test_a_sub_of_somebody_else_changes_nobody(console: Console) -> None:
    console.ok("import", "--file", "-", text=line(Sub=SUB) + line("Corp_bob"))
    stolen = line("Corp_bob", Sub=SUB, UserAttributes=attributes(email="new@x.test"))
    refused = refused_lines(console, line("Corp_zoe") + stolen)
    assert refused == {2: "Sub: it is another user's."}
    names = {each["Name"] for each in console.show("Corp_bob")["UserAttributes"]}
    assert names == {"identities"}


def test_who_is_linked_to_somebody_is_no_user_of_their_own(console: Console) -> None:
    console.ok("import", "--file", "-", text=line())
    console.ok("link", "--provider", "Corp", "--value", "al", "Corp_alice")
    refused = refused_lines(console, line("Corp_al") + line("Corp_zoe"))
    assert list(refused) == [1]
    assert "linked to another user" in refused[1]
    assert console.names() == ["Corp_alice", "Corp_zoe"]


@pytest.mark.parametrize(
    "identities",
    [
        [{"userId": "al", "providerName": "Corp", "dateCreated": 10**25}],
        [{"userId": "al", "providerName": "Corp", "dateCreated": -1}],
        [{"userId": "al", "providerName": "Corp", "dateCreated": "soon"}],
        [{"userId": "", "providerName": "Corp"}],
        [{"userId": "a\0l", "providerName": "Corp"}],
        [{"userId": "a" * 124, "providerName": "Corp"}],
        [{"userId": f"al{n}", "providerName": "Corp"} for n in range(6)],
    ],
    ids=["late", "early", "no date", "empty", "control", "long", "many"],
)
def test_identities_that_no_sign_in_could_bring_are_refused(
    console: Console, identities: list[dict[str, Any]]
) -> None:
    given = line(UserAttributes=attributes(identities=json.dumps(identities)))
    assert list(refused_lines(console, given + line("Corp_zoe"))) == [1]
    assert console.names() == ["Corp_zoe"]


def test_an_imported_sub_does_not_wake_what_its_last_owner_left(
    new_world: Callable[..., World], tmp_path: Path, certs: Path
) -> None:
    """The sign-in was before the import, which is told the time by this machine."""
    app = App.of(new_world(clock=ManualClock(1_700_000_000)))
    console = Console(tmp_path / "world-0", certs)
    tokens = app.tokens()
    code = app.answer()["code"]
    sub = app.world.verified(tokens["id_token"])["sub"]
    console.ok("delete", "--yes", "Corp_alice")
    console.ok("import", "--file", "-", text=line(Sub=sub))
    assert app.world.userinfo(tokens["access_token"]).status_code == 401
    assert app.refresh(tokens["refresh_token"]).status_code == 400
    assert body(app.redeem(code))["error"] == "invalid_grant"


def test_bytes_that_are_not_utf_8_are_a_refused_line(console: Console) -> None:
    result = console.run(
        "import", "--file", "-", text=b'{"UserPoolId": "\xff"}\n' + line().encode()
    )
    assert result.exit_code == 1
    assert result.stderr.startswith("line 1: ")
    assert console.names() == ["Corp_alice"]


def test_a_large_import_reports_its_progress(console: Console, tmp_path: Path) -> None:
    source = tmp_path / "users.ndjson"
    source.write_text("".join(line(f"Corp_{n:05}") for n in range(10_100)))
    result = console.run("import", "--file", str(source))
    assert result.stderr.splitlines() == ["10000 lines ..."]
    assert "10100 stored" in result.stdout
    assert len(console.names("--starting-with", "Corp_0999")) == 10


def test_a_pool_that_ignores_case(
    new_world: Callable[..., World], tmp_path: Path, certs: Path
) -> None:
    world = new_world(pool={"UsernameConfiguration": {"CaseSensitive": False}})
    console = Console(tmp_path / "world-0", certs)
    console.ok("import", "--file", "-", text=line("CORP_Alice", Sub=SUB))
    assert console.names() == ["corp_alice"]
    assert console.show("Corp_ALICE")["Sub"] == SUB
    # The NameID keeps its case.
    assert world.verified(App.of(world).tokens(name_id="Alice")["id_token"])["sub"] == SUB


def test_somebody_who_watches_sees_more_of_it(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("broker.cli.users"), "_is_watched", lambda: True)
    result = console.run(
        "import", "--file", "-", text="".join(line(f"Corp_{n}") for n in range(2100))
    )
    assert result.stderr.splitlines() == ["1000 lines ...", "2000 lines ..."]


# -- list, show ------------------------------------------------------------------------------


def test_the_list_is_sorted_and_can_be_cut(console: Console) -> None:
    names = [f"Corp_{n:03}" for n in range(130)]
    console.ok("import", "--file", "-", text="".join(map(line, reversed(names))))
    assert console.names() == names
    assert console.names("--limit", "3") == names[:3]
    assert console.names("--starting-with", "Corp_12") == names[120:130]
    assert console.names("--starting-with", "Corp_121") == ["Corp_121"]
    assert console.names("--starting-with", "Nobody") == []


@pytest.mark.parametrize(
    "command",
    [
        ["show"],
        ["disable"],
        ["enable"],
        ["delete", "--yes"],
        ["link", "--provider", "Corp", "--value", "x"],
    ],
)
def test_nobody_is_told_apart_from_somebody(console: Console, command: list[str]) -> None:
    refused = console.refused(command[0], *command[1:], "Corp_nobody")
    assert "User does not exist. (UserNotFoundException)" in refused


@pytest.mark.parametrize(
    "command",
    [
        ["show", "Corp_\udcff"],
        ["list", "--starting-with", "\udcff"],
        ["list", "--pool", "\udcff"],
        ["link", "--provider", "Corp", "--value", "\udcff", "Corp_nobody"],
        ["unlink", "--provider", "Corp", "--attribute", "\udcff", "--value", "x"],
    ],
)
def test_arguments_that_are_not_utf_8_are_said_to_be(console: Console, command: list[str]) -> None:
    """Python hands bytes that are no text on as halves of surrogate pairs."""
    assert "it is not UTF-8 text." in console.refused(*command)


def test_the_pool_must_be_one_of_the_configured(console: Console) -> None:
    assert POOL in console.refused("list", "--pool", "eu-west-1_Other")


# -- disable, enable, delete -----------------------------------------------------------------


def is_out(app: App, tokens: dict[str, Any]) -> bool:
    """Whether every door is shut: session, refresh, userInfo, code, sign-in. None or all."""
    shut = {
        "error=" in app.authorize(prompt="none").headers["Location"],
        app.refresh(tokens["refresh_token"]).status_code == 400,
        app.world.userinfo(tokens["access_token"]).status_code == 401,
    }
    assert len(shut) == 1
    return shut.pop()


def test_a_disabled_user_is_refused_at_every_door_at_once(console: Console, app: App) -> None:
    tokens = app.tokens()
    code = app.answer()["code"]
    assert not is_out(app, tokens)
    assert console.ok("disable", "Corp_alice") == "Corp_alice is disabled.\n"
    assert is_out(app, tokens)
    assert body(app.redeem(code))["error"] == "invalid_grant"
    answer = App.of(app.world).answer()
    assert (answer["error"], answer["error_description"]) == (
        "invalid_request",
        "User is disabled.",
    )


def test_an_enabled_user_signs_in_again_but_old_sessions_and_tokens_stay_dead(
    console: Console, app: App
) -> None:
    tokens = app.tokens()
    sub = app.world.verified(tokens["id_token"])["sub"]
    console.ok("disable", "Corp_alice")
    console.ok("enable", "Corp_alice")
    assert is_out(app, tokens)
    assert claims(app)["sub"] == sub


def test_a_deleted_user_is_out_and_comes_back_as_somebody_new(console: Console, app: App) -> None:
    tokens = app.tokens()
    sub = app.world.verified(tokens["id_token"])["sub"]
    console.ok("delete", "--yes", "Corp_alice")
    assert is_out(app, tokens)
    assert claims(app)["sub"] != sub


def test_a_deleted_user_that_is_imported_again_is_not_signed_in(console: Console, app: App) -> None:
    """The same ``sub`` again, as after a restored backup: sessions from before must not fit it."""
    tokens = app.tokens()
    listed = console.ok("list")
    console.ok("delete", "--yes", "Corp_alice")
    console.ok("import", "--file", "-", text=listed)
    assert is_out(app, tokens)


def test_deleting_asks_first(console: Console, app: App) -> None:
    app.tokens()
    console.refused("delete", "Corp_alice", text="n\n")
    assert console.names() == ["Corp_alice"]
    console.ok("delete", "Corp_alice", text="y\n")
    assert console.names() == []


# -- link, unlink ----------------------------------------------------------------------------

ALICE = "Corp_alice"


@pytest.fixture
def linked(new_world: Callable[..., World], tmp_path: Path, certs: Path) -> App:
    """A world whose provider sends e-mail addresses, with Alice in it."""
    idp = new_world().idp
    mapping = {"email": EMAIL_CLAIM, "name": "displayName"}
    world = new_world(providers=[saml_provider(idp, AttributeMapping=mapping)])
    world.idp = idp
    app = App.of(world)
    app.tokens()
    return app


@pytest.fixture
def terminal(linked: App, tmp_path: Path, certs: Path) -> Console:
    return Console(tmp_path / "world-1", certs)


def arrives(app: App, name_id: str, email: str) -> dict[str, Any]:
    """The ID token of somebody whom the provider says this e-mail address of."""
    world = app.world
    browser = world.browser()
    answer = {"name_id": name_id, "attributes": {EMAIL_CLAIM: [email]}}
    code = world.sign_in(browser, **answer)["code"]
    return world.verified(body(world.redeem(code))["id_token"])


def test_a_link_by_subject_leads_to_the_user(terminal: Console, linked: App) -> None:
    sub = terminal.show(ALICE)["Sub"]
    terminal.ok("link", "--provider", "Corp", "--value", "al", ALICE)
    token = arrives(linked, "al", "al@x.test")
    assert (token["sub"], token["cognito:username"]) == (sub, ALICE)
    primary = {each["userId"]: each["primary"] for each in token["identities"]}
    assert primary == {"alice": "true", "al": "false"}
    assert token["cognito:groups"] == [f"{POOL}_Corp"]
    assert token["email"] == "al@x.test"  # mapped attributes overwrite the destination's
    assert terminal.names() == [ALICE]


def test_a_link_by_attribute_waits_for_the_first_sign_in(terminal: Console, linked: App) -> None:
    sub = terminal.show(ALICE)["Sub"]
    by_email = ["--provider", "Corp", "--attribute", "email", "--value", "al@x.test"]
    terminal.ok("link", *by_email, ALICE)
    assert terminal.show(ALICE)["ExpectedLinks"] == [
        {
            "ProviderName": "Corp",
            "ProviderAttributeName": "email",
            "ProviderAttributeValue": "al@x.test",
        }
    ]
    assert arrives(linked, "somebody", "other@x.test")["sub"] != sub
    assert arrives(linked, "al-17", "al@x.test")["sub"] == sub
    # From now on the subject counts, whatever the address becomes.
    assert terminal.show(ALICE)["ExpectedLinks"] == []
    assert arrives(linked, "al-17", "new@x.test")["sub"] == sub
    assert arrives(linked, "al-18", "al@x.test")["sub"] != sub


def test_a_name_id_that_is_too_long_is_not_linked(terminal: Console, linked: App) -> None:
    by_email = ["--provider", "Corp", "--attribute", "email", "--value", "al@x.test"]
    terminal.ok("link", *by_email, ALICE)
    said = {"name_id": "x" * 4000, "attributes": {EMAIL_CLAIM: ["al@x.test"]}}
    answer = linked.world.sign_in(linked.world.browser(), **said)
    assert "length less than or equal to 128" in answer["error_description"]
    terminal.ok("unlink", *by_email)  # it still waits


def test_a_name_id_that_looks_like_the_value_is_not_it(terminal: Console, linked: App) -> None:
    sub = terminal.show(ALICE)["Sub"]
    by_email = ["--provider", "Corp", "--attribute", "email", "--value", "al@x.test"]
    terminal.ok("link", *by_email, ALICE)
    assert arrives(linked, "al@x.test", "mallory@x.test")["sub"] != sub


def test_a_user_of_its_own_cannot_be_linked(terminal: Console, linked: App) -> None:
    arrives(linked, "bob", "bob@x.test")
    refused = terminal.refused("link", "--provider", "Corp", "--value", "bob", ALICE)
    assert "AliasExistsException" in refused


def test_what_is_linked_cannot_be_linked_again(terminal: Console, linked: App) -> None:
    arrives(linked, "bob", "bob@x.test")
    for how in (["--value", "al"], ["--attribute", "email", "--value", "al@x.test"]):
        terminal.ok("link", "--provider", "Corp", *how, ALICE)
        assert "already linked to DestinationUser" in terminal.refused(
            "link", "--provider", "Corp", *how, ALICE
        )
        assert "AliasExistsException" in terminal.refused(
            "link", "--provider", "Corp", *how, "Corp_bob"
        )


def test_five_links_are_enough(terminal: Console) -> None:
    for n in range(3):
        terminal.ok("link", "--provider", "Corp", "--value", f"al{n}", ALICE)
    for n in range(2):
        by_email = ["--attribute", "email", "--value", f"{n}@x.test"]
        terminal.ok("link", "--provider", "Corp", *by_email, ALICE)
    refused = terminal.refused("link", "--provider", "Corp", "--value", "al9", ALICE)
    assert "LimitExceededException" in refused


@pytest.mark.parametrize("attribute", ["nickname", "mail", "sub"])
def test_only_a_mapped_attribute_can_be_linked_by(terminal: Console, attribute: str) -> None:
    by = ["--provider", "Corp", "--attribute", attribute, "--value", "x"]
    assert "InvalidParameterException" in terminal.refused("link", *by, ALICE)


@pytest.mark.parametrize("value", ["", "a\nb", "x" * 513])
@pytest.mark.parametrize("attribute", ["Cognito_Subject", "email"])
def test_what_no_sign_in_brings_cannot_be_linked(
    terminal: Console, attribute: str, value: str
) -> None:
    by = ["--provider", "Corp", "--attribute", attribute, "--value", value]
    assert "InvalidParameterException" in terminal.refused("link", *by, ALICE)


def test_a_provider_that_maps_an_immutable_attribute_cannot_be_linked(
    new_world: Callable[..., World], tmp_path: Path, certs: Path
) -> None:
    """Its first sign-in as the user would have to change what cannot be changed."""
    idp = new_world().idp
    corp = saml_provider(idp, AttributeMapping={"custom:number": "employeeNumber"})
    schema = {"Name": "number", "AttributeDataType": "String", "Mutable": False}
    new_world(providers=[corp], pool={"SchemaAttributes": [schema]})
    console = Console(tmp_path / "world-1", certs)
    console.ok("import", "--file", "-", text=line())
    refused = console.refused("link", "--provider", "Corp", "--value", "al", ALICE)
    assert "custom:number" in refused


def test_the_provider_must_be_configured(terminal: Console) -> None:
    assert "Corp" in terminal.refused("link", "--provider", "Nope", "--value", "x", ALICE)


def test_unlinked_is_somebody_new_and_the_old_tokens_die(terminal: Console, linked: App) -> None:
    terminal.ok("link", "--provider", "Corp", "--value", "al", ALICE)
    other = App.of(linked.world)
    tokens = other.tokens(name_id="al")
    sub = linked.world.verified(tokens["id_token"])["sub"]
    assert "unlinked from Corp_alice" in terminal.ok(
        "unlink", "--provider", "Corp", "--value", "al"
    )
    assert is_out(other, tokens)
    assert arrives(linked, "al", "al@x.test")["sub"] != sub


def test_an_expected_link_can_be_taken_back(terminal: Console, linked: App) -> None:
    by_email = ["--provider", "Corp", "--attribute", "email", "--value", "al@x.test"]
    terminal.ok("link", *by_email, ALICE)
    terminal.ok("unlink", *by_email)
    assert arrives(linked, "al", "al@x.test")["cognito:username"] == "Corp_al"


def test_nothing_to_unlink(terminal: Console) -> None:
    for by in (["--value", "nobody"], ["--attribute", "email", "--value", "nobody"]):
        refused = terminal.refused("unlink", "--provider", "Corp", *by)
        assert "UserNotFoundException" in refused


def test_a_users_own_identity_cannot_be_unlinked(terminal: Console, linked: App) -> None:
    refused = terminal.refused("unlink", "--provider", "Corp", "--value", "alice")
    assert "InvalidParameterException" in refused
    assert claims(linked)["cognito:username"] == ALICE
