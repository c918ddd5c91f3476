"""A certificate authority for a test, and servers' certificates that are right or wrong in one way."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

DAY = timedelta(days=1)


class Authority:
    """Signs certificates; `file` is its own, for SSL_CERT_FILE."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _named("Test authority")
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        certificate = self._builder("Test authority", self.key, 0, 30).add_extension(constraints, critical=True)
        self.file = self._written("authority", certificate.sign(self.key, hashes.SHA256()))

    def context(self, names: Sequence[str], *, start: int = -1, end: int = 30, signed: bool = True) -> ssl.SSLContext:
        """A server's side, with a certificate for `names` from `start` to `end`, in days from today.

        Not `signed`: by the authority, but by itself.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = names[0] if names else "nobody"
        certificate = self._builder(name, key, start, end, issuer=self.name if signed else _named(name))
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
            certificate = certificate.add_extension(alternatives, critical=False)
        signer = self.key if signed else key
        chain = self._written(f"{name.strip('*.')}{start}{end}{signed}", certificate.sign(signer, hashes.SHA256()), key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def _builder(
        self, name: str, key: ec.EllipticCurvePrivateKey, start: int, end: int, issuer: x509.Name | None = None
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(issuer or self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + start * DAY - timedelta(minutes=1))
            .not_valid_after(now + end * DAY)
        )

    def _written(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | None = None) -> Path:
        path = self.folder / f"{name}.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) if key else b""
        path.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
        return path


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
