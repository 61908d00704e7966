"""The ``BROKER_*`` variables: their defaults, and which values are faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.settings import Settings, load
from tests.kit import configuration
from tests.kit.configuration import as_it_is, changed, pool_of


def settings_with(folder: Path, **environ: str) -> Settings:
    return configuration.loaded(folder, changed(as_it_is), **environ)


def test_defaults(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    assert settings.state_dir == tmp_path / "var"
    assert settings.certs_dir == tmp_path / "var" / "certs"
    assert settings.database_url == f"sqlite:///{tmp_path}/var/broker.db"
    assert settings.redis_url is None
    assert settings.proxy_hops == 0
    assert settings.log_format == "json"  # the tests have no terminal
    assert not settings.state_dir.exists()


def test_the_state_directory_carries_what_hangs_under_it(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, BROKER_STATE_DIR="/srv/broker")
    assert settings.certs_dir == Path("/srv/broker/certs")
    assert settings.database_url == "sqlite:////srv/broker/broker.db"


def test_what_is_set_is_taken(tmp_path: Path) -> None:
    settings = settings_with(
        tmp_path,
        BROKER_CERTS_DIR="/etc/broker",
        BROKER_DATABASE_URL="postgresql://u:p@db/broker",
        BROKER_REDIS_URL="rediss://cache:6379/0",
        BROKER_PROXY_HOPS="2",
        BROKER_LOG="text",
    )
    assert settings.certs_dir == Path("/etc/broker")
    assert settings.database_url == "postgresql://u:p@db/broker"
    assert settings.redis_url == "rediss://cache:6379/0"
    assert settings.proxy_hops == 2
    assert settings.log_format == "text"


def test_passwords_in_urls_are_not_shown(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, BROKER_DATABASE_URL="postgresql://u:pass-w@db/broker")
    assert "pass-w" not in repr(settings)


def test_an_empty_variable_is_unset(tmp_path: Path) -> None:
    names = ("STATE_DIR", "DATABASE_URL", "REDIS_URL", "BASE_DOMAIN", "PROXY_HOPS", "LOG")
    empty = {f"BROKER_{name}": "" for name in names}
    assert settings_with(tmp_path, **empty) == settings_with(tmp_path)


def test_the_port_is_part_of_the_base_domain(tmp_path: Path) -> None:
    path = tmp_path / "broker.yaml"
    path.write_text(changed(lambda pool: pool.update(Domain="example")))
    (pool,) = load(path, {}, port=9000).pools.values()
    assert pool.domain == "http://example.localhost:9000"


def test_a_relative_configuration_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broker.yaml").write_text(changed(as_it_is))
    monkeypatch.chdir(tmp_path)
    assert load(Path("broker.yaml"), {}).state_dir == tmp_path / "var"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BROKER_DATABASE_URL", "mysql://db"),
        ("BROKER_DATABASE_URL", "broker.db"),
        ("BROKER_DATABASE_URL", "postgresql://u:p@db:54x2/broker"),
        ("BROKER_DATABASE_URL", "postgresql://u:p@db:70000/broker"),
        ("BROKER_DATABASE_URL", "postgresql+psycopg://[::1]:0/broker"),
        ("BROKER_REDIS_URL", "localhost:6379"),
        ("BROKER_REDIS_URL", "redis://cache:port/0"),
        ("BROKER_BASE_DOMAIN", "https://auth.example.com"),
        ("BROKER_BASE_DOMAIN", "auth.example.com/x"),
        ("BROKER_BASE_DOMAIN", "auth example"),
        ("BROKER_PROXY_HOPS", "-1"),
        ("BROKER_PROXY_HOPS", "two"),
        ("BROKER_LOG", "JSON"),
    ],
)
def test_bad_values(tmp_path: Path, name: str, value: str) -> None:
    (fault,) = configuration.faults(tmp_path, changed(as_it_is), **{name: value})
    assert fault.startswith(f"{name}: must be ")
    assert value not in fault


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////srv/broker.db",
        "postgresql:///broker?host=/run/postgresql",
        "postgresql://broker@db",
        "postgresql://u:p/a:ss@[::1]:5432/broker?application_name=a:b",
        "postgresql://db:/broker",
    ],
)
def test_urls_of_databases(tmp_path: Path, url: str) -> None:
    assert settings_with(tmp_path, BROKER_DATABASE_URL=url).database_url == url


def test_a_near_miss_of_a_name(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, BROKER_DATABSE_URL="x", BROKER_SERVICE_PORT_80_TCP="x")
    assert settings.warnings == (
        "BROKER_DATABSE_URL: unknown environment variable; did you mean BROKER_DATABASE_URL?",
    )


def test_the_environment_of_the_file(tmp_path: Path) -> None:
    pool = pool_of(tmp_path, lambda pool: pool.update(Domain="${HOST}"), HOST="a.example.com")
    assert pool.domain == "https://a.example.com"
