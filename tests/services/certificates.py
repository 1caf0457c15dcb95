"""A certificate authority of the tests' own, and a server certificate for the loopback address."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BORN = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
DIES = datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC)
PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, folder: Path) -> "Authority":
        """Writes `ca.pem` into `folder`: what a client is told to trust."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("calends tests authority")
        certificate = _certificate(name, name, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        authority = cls(key, certificate.sign(key, hashes.SHA256()))
        (folder / "ca.pem").write_bytes(authority.certificate.public_bytes(PEM))
        return authority

    def issue(self, file: Path, until: datetime.datetime = DIES) -> None:
        """Key, certificate and authority in one PEM file, the shape Kafka's PEM key store wants."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
        )
        certificate = (
            _certificate(_name("localhost"), self.certificate.subject, key, until)
            .add_extension(names, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file.write_bytes(private + certificate.public_bytes(PEM) + self.certificate.public_bytes(PEM))


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime.datetime = DIES
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BORN)
        .not_valid_after(until)
    )
