import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from streamer.certificate import VALID_DAYS, self_signed_certificate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_it_is_accepted_by_ssl_and_names_the_host(tmp_path: Path) -> None:
    made = self_signed_certificate(tmp_path / "tls", "avatar.example", NOW)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(made.certificate_path, made.key_path)
    certificate = x509.load_pem_x509_certificate(made.certificate_path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"avatar.example", "localhost"} <= set(names.get_values_for_type(x509.DNSName))
    assert "127.0.0.1" in [str(ip) for ip in names.get_values_for_type(x509.IPAddress)]


def test_the_key_is_private(tmp_path: Path) -> None:
    made = self_signed_certificate(tmp_path, "127.0.0.1", NOW)
    assert made.key_path.stat().st_mode & 0o077 == 0


def test_it_is_kept_while_good_and_renewed_in_time(tmp_path: Path) -> None:
    def content(host: str, days: int) -> bytes:
        made = self_signed_certificate(tmp_path, host, NOW + timedelta(days=days))
        return made.certificate_path.read_bytes()

    first = content("127.0.0.1", 0)
    assert content("127.0.0.1", 100) == first
    renewed = content("127.0.0.1", VALID_DAYS - 1)
    assert renewed != first
    assert content("other.example", VALID_DAYS) != renewed
