"""Whose certificates are believed.

Scrapy 2.19 verifies none by default. With its setting for it, Twisted reads the trusted roots anew for each connection,
and lets a certificate pass that names no host at all: only a wrong name is an error to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import certifi
from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet._sslverify import ClientTLSOptions, IOpenSSLTrustRoot
from twisted.internet.ssl import CertificateOptions
from twisted.python.failure import Failure
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from crawler.errors import PageError

if TYPE_CHECKING:
    from OpenSSL.crypto import X509
    from twisted.protocols.tls import TLSMemoryBIOProtocol

Verdict = Callable[[SSL.Connection, "X509", int, int, int], bool]

LEGACY_SERVERS = 0x4  # OP_LEGACY_SERVER_CONNECT: some papers' servers cannot renegotiate securely; we never do
# X509_V_ERR_*: what can be told to a person
_PROBLEMS = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is signed by itself",
    19: "its root is not trusted",
    20: "its issuer is not trusted",
    21: "its issuer is not trusted",
    23: "it was revoked",
}


class BadCertificate(PageError):
    """The certificate does not hold; the seed's `verify_tls: false` would permit it."""

    reason = "tls"


@implementer(IOpenSSLTrustRoot)
class Roots:
    """The platform's roots, or those that SSL_CERT_FILE and SSL_CERT_DIR name; beside them Mozilla's (certifi)."""

    def _addCACertsToContext(self, context: SSL.Context) -> None:
        context.load_verify_locations(certifi.where())
        context.set_default_verify_paths()


class _Options(CertificateOptions):
    def _makeContext(self, skipCiphers: bool = False) -> SSL.Context:
        context = super()._makeContext(skipCiphers)
        context.set_options(LEGACY_SERVERS)
        return context


@implementer(IPolicyForHTTPS)
class VerifyingPolicy:
    """Every certificate has to be valid, of a trusted root, and for the host that was asked for."""

    def __init__(self) -> None:
        self._options = _Options(trustRoot=cast(Any, Roots()), fixBrokenPeers=True)

    def creatorForNetloc(self, hostname: bytes, port: int) -> ClientTLSOptions:
        return _Verifying(self._options._makeTLSConnection, hostname.decode("ascii"))


@implementer(IPolicyForHTTPS)
class TrustingPolicy:
    """Any certificate will do."""

    def __init__(self) -> None:
        self._options = _Options(fixBrokenPeers=True)

    def creatorForNetloc(self, hostname: bytes, port: int) -> ClientTLSOptions:
        return _Trusting(self._options._makeTLSConnection, hostname.decode("ascii"))


class _Verifying(ClientTLSOptions):
    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = super().clientConnectionForTLS(tlsProtocol)
        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._verdict(tlsProtocol))
        return connection

    def _verdict(self, protocol: TLSMemoryBIOProtocol) -> Verdict:
        wanted = DNS_ID(self._hostnameASCII) if self._hostnameIsDnsName else IPAddress_ID(self._hostnameASCII)

        def verdict(connection: SSL.Connection, certificate: X509, code: int, depth: int, ok: int) -> bool:
            problem = None if ok else _PROBLEMS.get(code, f"OpenSSL's code {code}")
            if depth == 0 and problem is None:
                try:
                    verify_service_identity(extract_patterns(certificate), [wanted], [])
                except (CertificateError, VerificationError, ValueError):
                    problem = f"it is not for {self._hostnameASCII}"
            if problem is not None:
                error = BadCertificate(f"The certificate does not hold: {problem}")
                protocol.failVerification(Failure(error))  # type: ignore[no-untyped-call]
            return problem is None

        return verdict


class _Trusting(ClientTLSOptions):
    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = super().clientConnectionForTLS(tlsProtocol)
        connection.set_verify(SSL.VERIFY_NONE, lambda *ignored: True)
        return connection
