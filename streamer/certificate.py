"""A certificate of our own: browsers give a microphone to secure pages only."""

import ipaddress
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID_DAYS = 365
_RENEW_BEFORE = timedelta(days=7)
_PRIVATE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where certificate and key lie, both PEM."""

    certificate_path: Path
    key_path: Path


def self_signed_certificate(folder: Path, host: str, now: datetime) -> Certificate:
    """Make a certificate for this machine, or reuse one that still holds and names `host`."""
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    if not _still_good(made, host, now):
        folder.mkdir(parents=True, exist_ok=True)
        _write(made, host, now)
    return made


def _still_good(made: Certificate, host: str, now: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(made.certificate_path.read_bytes())
    except (OSError, ValueError):
        return False
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    lasts = certificate.not_valid_after_utc - _RENEW_BEFORE > now
    return lasts and made.key_path.is_file() and _general_name(host) in names


def _write(made: Certificate, host: str, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vexpress-live")])
    names = {_general_name(each) for each in {host, "localhost", "127.0.0.1", *_own_addresses()}}
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made.key_path.touch(_PRIVATE_MODE)
    made.key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    made.certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _own_addresses() -> set[str]:
    """Addresses under which other machines may know this one."""
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    except OSError:
        return set()
    return {str(address[4][0]) for address in found}
