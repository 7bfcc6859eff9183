"""Whose certificates the fetcher believes."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest

from sightline.media.addresses import Refused, networks
from sightline.media.fetch import Fetcher
from sightline.media.settings import MediaSettings
from tests.integration.media.peer import Names, Peer

pytest.importorskip("cryptography", reason="needs the audit extra: pip install 'sightline[audit]'")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def certificate(folder: Path, host: str, ends: datetime.datetime) -> Path:
    """A certificate for `host` that vouches for itself, with its key, as one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - 9 * DAY)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "certificate.pem"
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.mark.parametrize(
    ("host", "ends", "trusted", "reason"),
    [
        ("public.test", NOW + DAY, True, None),
        ("public.test", NOW - DAY, True, "tls"),
        ("other.test", NOW + DAY, True, "tls"),
        ("public.test", NOW + DAY, False, "tls"),
    ],
    ids=["good", "expired", "of another name", "of nobody we know"],
)
async def test_only_a_good_certificate_is_believed(
    tmp_path: Path, host: str, ends: datetime.datetime, trusted: bool, reason: str | None
) -> None:
    file = certificate(tmp_path, host, ends)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(file)
    trust = ssl.create_default_context(cafile=str(file)) if trusted else None
    peer = Peer(0)
    peer.serve("/picture", b"content")
    got = bytearray()
    async with await asyncio.start_server(peer.take, "127.0.0.1", 0, ssl=serving) as server:
        port = server.sockets[0].getsockname()[1]
        settings = MediaSettings(private_networks=networks(["127.0.0.1/32"]), ports=frozenset({port}))
        names = Names()
        names.answers["public.test"] = [["127.0.0.1"]]
        async with Fetcher(settings, names, trust) as fetcher:
            if reason is None:
                await fetcher.fetch(f"https://public.test:{port}/picture", got.extend)
                assert bytes(got) == b"content"
                return
            with pytest.raises(Refused) as refused:
                await fetcher.fetch(f"https://public.test:{port}/picture", got.extend)
    assert refused.value.reason == reason
    assert not got
    assert not peer.asked
