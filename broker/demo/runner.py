"""``broker demo``: a broker, two identity providers and an app on loopback, and a first sign-in.

Starts all four, signs in once through each protocol, and stays until it is told to end. Everything
it makes lives in a temporary directory and goes with it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO

from broker.demo.broker_process import BrokerFailedError
from broker.demo.browser import Browser, Page
from broker.demo.config_file import Addresses
from broker.demo.console import Console
from broker.demo.ending import Ending, EndRequestedError, ending
from broker.demo.stage import stage
from broker.demo.story import Story


def run(*, environ: Mapping[str, str] | None = None, out: TextIO | None = None) -> int:
    """Run the demo until a signal ends it; the exit status. ``environ`` may choose the broker's
    databases (``BROKER_DATABASE_URL``, ``BROKER_REDIS_URL``); without it everything is embedded."""
    console = Console.on(out or sys.stdout)
    with ending() as end:
        try:
            _perform(os.environ if environ is None else environ, console, end)
        except EndRequestedError:
            return 0
        except BrokenPipeError:
            raise  # nobody reads any more: the command line knows how to end quietly
        except (BrokerFailedError, OSError) as failure:
            _explain(failure, console)
    return 1


def _perform(environ: Mapping[str, str], console: Console, end: Ending) -> None:
    """All of it, in order. Ends by exception, and by no other way."""
    console.note("Starting a broker, two identity providers and a sample app on this machine.")
    with stage(environ, end) as at:
        _introduce(at, console)
        _sign_in(at, console, end)
        console.line()
        console.note("Everything stays up until Ctrl-C. Now sign in as somebody else.")
        console.line(f"Open {at.app}/")
        while True:
            end.wait()


def _introduce(at: Addresses, console: Console) -> None:
    console.line()
    console.line(f"  Sample app              {at.app}/")
    console.line(f"  Broker                  {at.broker}")
    console.line(f"  SAML identity provider  {at.saml_idp}/")
    console.line(f"  OpenID provider         {at.oidc_op}")


def _sign_in(at: Addresses, console: Console, end: Ending) -> None:
    """Once through each protocol, each time in a browser that nobody has used before."""
    story = Story(at=at, steps=console.steps(), ending=end)
    console.heading("A sign-in through SAML")
    with Browser() as browser:
        page = story.sign_in_with_saml(browser)
        _show(page, console)
        story.sign_out(browser, page)
    console.heading("A sign-in through OpenID Connect")
    with Browser() as browser:
        _show(story.sign_in_with_oidc(browser), console)


def _show(page: Page, console: Console) -> None:
    console.good("     The verified ID token:")
    console.line(page.text("claims"))


def _explain(failure: Exception, console: Console) -> None:
    console.line()
    console.bad(f"The demo cannot go on. {failure}")
    console.line("Nothing is left running. The demo needs free ports on 127.0.0.1 and a temporary")
    console.line("directory that it may write to (TMPDIR). It uses the databases that are named by")
    console.line(
        "BROKER_DATABASE_URL and BROKER_REDIS_URL when these are set; unset them to use none."
    )
