"""Whose certificates are believed when an alert is sent: the same as when a page is fetched."""

from __future__ import annotations

import ssl
from ipaddress import ip_address

import certifi

_UNKNOWN_AUTHORITY = (18, 19, 20, 21)  # X509_V_ERR_*: signed by itself, or by somebody who is not known


def verifying() -> ssl.SSLContext:
    """The platform's roots, or those that SSL_CERT_FILE and SSL_CERT_DIR name; beside them Mozilla's (certifi)."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def unverified() -> ssl.SSLContext:
    """For this machine's own servers: what they offer has a certificate for another name, as a rule."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def refusal(error: ssl.SSLCertVerificationError) -> str:
    """For a person, with what would mend it."""
    hint = "; for an authority of your own set SSL_CERT_FILE" if error.verify_code in _UNKNOWN_AUTHORITY else ""
    return f"its certificate does not hold: {error.verify_message.rstrip('.')}{hint}"


def is_here(host: str) -> bool:
    """This machine by its loopback: nobody else can listen."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
