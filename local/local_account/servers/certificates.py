"""Make a self-signed certificate for 127.0.0.1, for servers with TLS."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local_account.servers import HOST


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files in PEM: the server's certificate, its key, and the certificate that a client has to trust."""

    certificate: Path
    key: Path
    authority: Path


def make(folder: Path) -> Certificates:
    """Make files that are valid for a day; anyone may read them, because servers run as another user."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files = Certificates(folder / "server.crt", folder / "server.key", folder / "server.crt")
    files.certificate.write_bytes(certificate.public_bytes(pem))
    files.key.write_bytes(private)
    for file in (files.certificate, files.key):
        file.chmod(0o644)
    return files
