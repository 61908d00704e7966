"""``broker demo`` from outside: what it prints, what it serves, what it leaves behind."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import httpx2
import pytest

from tests.kit.demo_process import running_demo


def test_it_signs_in_through_both_protocols_and_stays_up_until_it_is_told_to_end(
    tmp_path: Path,
) -> None:
    with running_demo(tmp_path) as demo:
        demo.read_until("Open http://localhost:")
        saml, oidc = claims_in(demo.said)
        assert httpx2.get(demo.url).status_code == 200
        assert demo.end(signal.SIGINT) == 0
        assert demo.lines[-1] == f"Open {demo.url}"
        assert demo.leftovers() == []
    assert "Signed out again, at the app, the broker and the identity provider" in demo.said
    assert saml["cognito:username"] == "DemoSAML_ada@example.com"
    assert saml["custom:groups"] == oidc["custom:groups"] == "engineering"
    assert saml["email"] == oidc["email"] == "ada@example.com"
    assert (saml["token_use"], saml["name"]) == ("id", "Ada Lovelace")
    assert oidc["identities"][0]["providerName"] == "DemoOIDC"
    assert saml["sub"] != oidc["sub"]


def claims_in(said: str) -> list[dict[str, object]]:
    """The JSON objects that were printed, each from a line ``{`` to a line ``}``."""
    found, block = [], []
    for line in said.splitlines():
        if line == "{" or block:
            block.append(line)
        if line == "}":
            found.append(json.loads("\n".join(block)))
            block = []
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_ended_while_it_starts(tmp_path: Path, number: signal.Signals) -> None:
    with running_demo(tmp_path) as demo:
        demo.read_until("Starting")
        assert demo.end(number) == 0
        assert len(demo.lines) == 1, demo.said
        assert demo.leftovers() == []


def test_a_start_that_fails_says_what_to_do_and_leaves_nothing(tmp_path: Path) -> None:
    with running_demo(tmp_path, {"BROKER_DATABASE_URL": "nosuchdatabase://x"}) as demo:
        demo.read_until("The demo cannot go on.")
        assert demo.wait() == 1
        assert "BROKER_DATABASE_URL" in demo.said
        assert "unset them" in demo.said
        assert "Traceback" not in demo.said
        assert demo.leftovers() == []
