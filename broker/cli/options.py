"""What several commands share: the option that names the configuration, and reading it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from broker.model.errors import ConfigurationError, StoreUnavailableError

if TYPE_CHECKING:
    from broker.settings import Settings


class _Text(click.ParamType[str]):
    """Text that can be stored and printed. Bytes that are none come as halves of surrogate pairs."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if any("\ud800" <= character <= "\udfff" for character in value):
            self.fail("it is not UTF-8 text.", param, ctx)
        return value


TEXT = _Text()

CONFIG = click.option(
    "--config",
    required=True,
    type=click.Path(path_type=Path),  # a file that is not there is a fault like any other
    help="The configuration file (YAML).",
)


def load(config: Path) -> Settings:
    """The configuration as the environment completes it. Raises ``ConfigurationError``."""
    from broker import settings

    return settings.load(config, os.environ)


@contextmanager
def explained(config: Path) -> Iterator[None]:
    """Turn what can be wrong with a configuration and its database into a message, and exit 1."""
    try:
        yield
    except ConfigurationError as error:
        for fault in error.faults:
            click.echo(f"fault    {fault}", err=True)
        raise click.ClickException(f"{config}: {len(error.faults)} fault(s).") from error
    except StoreUnavailableError as error:
        raise click.ClickException(
            f"a store does not answer, or refuses: {_first_line(error)}. Where it is looked for is said "
            "by BROKER_DATABASE_URL, BROKER_REDIS_URL and BROKER_CERTS_DIR."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].removesuffix(".")
