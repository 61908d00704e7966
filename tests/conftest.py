"""Fixtures that every test can ask for."""

from hypothesis import settings

pytest_plugins = [
    "tests.kit.servers",
    "tests.kit.chromium",
    "tests.kit.worlds",
    "tests.saml.attacks.summary",
]

# How long an example takes says more about the machine than about the code: timings decide no test.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
