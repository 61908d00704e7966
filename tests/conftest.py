"""Fixtures that every test can ask for."""

pytest_plugins = [
    "tests.kit.servers",
    "tests.kit.chromium",
    "tests.kit.worlds",
    "tests.saml.attacks.summary",
]
