"""Alerts: to a webhook, by e-mail, to a command. A receiver that fails or is slow holds nothing up."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Protocol

from crawler.alerts.command import Command
from crawler.alerts.mail import Mail
from crawler.alerts.message import Message, Notice, message, trial
from crawler.alerts.webhook import Webhook
from crawler.errors import CrawlerError

__all__ = ["LONGEST", "Message", "Notice", "Receiver", "message", "receivers", "send", "trial"]

LONGEST = 20.0  # seconds that a receiver may take
FAREWELL = 1.0  # seconds in which one that keeps to that says so
HANGING = 3  # attempts at a receiver that may go on behind our back, before there is another


class Receiver(Protocol):
    """Somebody who is told."""

    name: str

    def send(self, message: Message, seconds: float) -> None:
        """Raises CrawlerError."""


def receivers(
    *, webhook: str = "", email: str = "", smtp_url: str = "", smtp_password: str = "", command: str = ""
) -> list[Receiver]:
    """Those that are set. Raises ConfigurationError."""
    found: list[Receiver] = []
    if webhook:
        found.append(Webhook(webhook))
    if email:
        found.append(Mail(email, smtp_url, smtp_password))
    if command:
        found.append(Command(command))
    return found


def send(
    message: Message, to: Sequence[Receiver], *, but: Collection[str] = (), seconds: float = LONGEST
) -> dict[str, str | None]:
    """Tell all at the same time, but those; returns what went wrong with each, by name, or None.

    A time limit on the whole: a server that sends a byte now and then keeps within every limit on a single wait. Such
    an attempt is left to itself, and there are few of them at a time.
    """
    hanging = Counter(thread.name for thread in threading.enumerate())
    told: dict[str, str | None] = {one.name: f"it takes longer than {seconds:g} s" for one in to if one.name not in but}

    def tell(receiver: Receiver) -> None:
        try:
            receiver.send(message, seconds)
        except CrawlerError as error:
            told[receiver.name] = str(error)
        except Exception as error:  # whatever it is, the others are told, and it is tried again
            told[receiver.name] = f"{type(error).__name__}: {error}"
        else:
            told[receiver.name] = None

    threads = [
        threading.Thread(target=tell, args=[one], name=f"alert by {one.name}", daemon=True)
        for one in to
        if one.name in told and hanging[f"alert by {one.name}"] < HANGING
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + FAREWELL)
    return dict(told)
