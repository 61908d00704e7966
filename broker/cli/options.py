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
        first_line = str(error).partition("\n")[0]
        raise click.ClickException(f"the database does not answer: {first_line}.") from error
