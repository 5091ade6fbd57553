# SPDX-License-Identifier: GPL-3.0-or-later
"""What is put up with from a network, and which of its faults may pass. Used by `hub`, `transfer` and `download`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx2

from .background import CHECK_EVERY_S, Check

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How much is put up with.

    Attributes:
        stall_s: how long a server may be silent, or slower than `least_bytes_per_s`.
        tries: attempts in a row that bring next to nothing.
        wait_s, longest_wait_s: pause after the first of them, doubled after each further one.
    """

    stall_s: float = 20.0
    least_bytes_per_s: int = 1024
    tries: int = 6
    wait_s: float = 1.0
    longest_wait_s: float = 60.0


class PassingFaultError(Exception):
    """An attempt failed in a way that another one may not.

    Args:
        what: the reason, as the end of a sentence.
        after_s: when the server wants to be asked again; 0: it did not say.
    """

    def __init__(self, what: str, after_s: float = 0.0) -> None:
        super().__init__(what)
        self.after_s = after_s


PASSING = (PassingFaultError, httpx2.HTTPError, httpx2.StreamError, TimeoutError)


def as_passing(error: Exception) -> PassingFaultError:
    """What a fault of the network means to a person."""
    if isinstance(error, PassingFaultError):
        return error
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return PassingFaultError("it does not answer")
    if isinstance(error, httpx2.TooManyRedirects):
        return PassingFaultError("it sends us round in circles")
    if isinstance(error, httpx2.ConnectError | httpx2.ProxyError):
        return PassingFaultError(f"no connection: {error}")
    return PassingFaultError(f"the connection broke: {error or type(error).__name__}")


def is_passing(status: int) -> bool:
    """Whether a server that answers with this status may answer better in a while."""
    return status in (408, 425, 429) or status >= 500


def asked_to_wait(status: int, headers: httpx2.Headers) -> PassingFaultError:
    """The fault that a busy server's answer is, with the pause that it asks for."""
    after_s = 0.0
    with contextlib.suppress(ValueError):  # a date: our own pauses do
        after_s = max(float(headers.get("retry-after", "0")), 0.0)
    return PassingFaultError("it has had too many requests" if status == 429 else f"status {status}", after_s)


def pause(fault: PassingFaultError, failures: int, patience: Patience, check: Check) -> None:
    """Wait before the next attempt, longer after each failure."""
    seconds = fault.after_s or patience.wait_s * 2 ** (failures - 1)
    until = time.monotonic() + min(seconds, patience.longest_wait_s)
    while time.monotonic() < until:
        check()
        time.sleep(CHECK_EVERY_S)


def keep_trying(attempt: Callable[[], T], tries: int, patience: Patience, check: Check) -> T:
    """The result of an attempt that succeeds.

    Raises:
        PassingFaultError: none of them did; or whatever else an attempt raises.
    """
    for failures in range(1, tries + 1):
        try:
            return attempt()
        except PASSING as error:
            fault = as_passing(error)
            if failures < tries:
                pause(fault, failures, patience, check)
    raise fault
