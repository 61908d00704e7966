"""Signals become a wish that is noticed between two steps, and handlers go back afterwards."""

from __future__ import annotations

import os
import signal

import pytest

from broker.demo.ending import EndRequestedError, ending


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_noticed_at_the_next_wait(number: signal.Signals) -> None:
    with ending() as wish:
        wish.check()
        wish.wait(0.01)
        os.kill(os.getpid(), number)
        with pytest.raises(EndRequestedError):
            wish.wait()


def test_signals_during_the_clean_up_are_no_trouble() -> None:
    with ending() as wish:
        for _ in range(100):
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(EndRequestedError):
            wish.check()


def test_the_handlers_go_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ending():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
