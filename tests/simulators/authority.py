"""An authority of our own, and the certificates of the servers that it vouches for."""

from collections.abc import Iterable
from datetime import UTC, datetime
import ipaddress
from pathlib import Path
import ssl
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Whatever time a test believes it is.
_FROM = datetime(2020, 1, 1, tzinfo=UTC)
_TO = datetime(2049, 12, 31, tzinfo=UTC)


def _name(common_name: str) -> x509.Name:
    """Return a name for a certificate."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(host: str) -> x509.GeneralName:
    """Return a host as certificates name it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.CertificateBuilder:
    """Return the beginnings of a certificate."""
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_TO)
        .add_extension(
            x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True
        )
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
    )


def _server_context(
    certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> ssl.SSLContext:
    """Return what a server needs to present a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _for_hosts(
    builder: x509.CertificateBuilder, hosts: Iterable[str]
) -> x509.CertificateBuilder:
    """Return the beginnings of a certificate of a server with these hosts."""
    return builder.add_extension(
        x509.SubjectAlternativeName([_alternative(host) for host in hosts]),
        critical=False,
    ).add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
    )


class Authority:
    """An authority that signs certificates for any host."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Authority of the stand-ins")
        self._certificate = (
            _builder("Authority of the stand-ins", name, self._key, ca=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    key_cert_sign=True,
                    crl_sign=True,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .sign(self._key, hashes.SHA256())
        )

    def write(self, path: Path) -> None:
        """Write the certificate that clients have to trust."""
        path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def server_context(self, *hosts: str) -> ssl.SSLContext:
        """Return what a server with these hosts needs to present a certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self._certificate.subject
        builder = _for_hosts(_builder(hosts[0], issuer, key, ca=False), hosts)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
            critical=False,
        )
        return _server_context(builder.sign(self._key, hashes.SHA256()), key)


# What signs certificates takes dates of one class only, that of the first it sees. It has to
# be the real one, before a test says what time it is.
Authority()
