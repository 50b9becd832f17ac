"""A certificate authority for one test control plane."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates into a folder; `certificate` is the file others trust."""

    def __init__(self, folder: Path, lifetime: timedelta = LIFETIME) -> None:
        self._folder, self._lifetime = folder, lifetime
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("imghost-test")
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        signed = _builder(self._name, self._name, self._key, lifetime).add_extension(constraints, critical=True)
        self.certificate = folder / "ca.crt"
        self.certificate.write_bytes(_pem(signed.sign(self._key, hashes.SHA256())))

    def server(self, names: Sequence[str], addresses: Sequence[str], file: str = "server") -> Pair:
        """A certificate for a server that is reached by these names and IP addresses; `file` distinguishes servers."""
        reached = [x509.DNSName(name) for name in names]
        numbers = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        return self._sign(file, _name(file), ExtendedKeyUsageOID.SERVER_AUTH, [*reached, *numbers])

    def client(self, user: str, groups: Sequence[str] = ()) -> Pair:
        """A certificate that Kubernetes takes as this user in these groups."""
        return self._sign(user.replace(":", "-"), _name(user, groups), ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def _sign(
        self, file: str, subject: x509.Name, usage: x509.ObjectIdentifier, names: Sequence[x509.GeneralName]
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, self._name, key, self._lifetime).add_extension(
            x509.ExtendedKeyUsage([usage]), critical=False
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        pair = Pair(self._folder / f"{file}.crt", self._folder / f"{file}.key")
        pair.certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        write_key(key, pair.key)
        return pair


def write_key(key: ec.EllipticCurvePrivateKey, path: Path) -> None:
    """Write a private key that only we can read, in the one PEM format in which Kubernetes takes elliptic keys."""
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )


def _name(common: str, organizations: Sequence[str] = ()) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + lifetime)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
