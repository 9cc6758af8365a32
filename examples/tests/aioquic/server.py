"""Serves sessions of one draft until it is killed, for a minute at most: `DRAFT`.

Rejects those at /reject/STATUS.
"""

import asyncio
import sys
from datetime import datetime, timedelta, timezone
from functools import partial

from aioquic.asyncio import serve
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connection import Connection, say

LIMIT = 60


class Server(Connection):
    def headers_received(self, stream_id: int, headers: dict[bytes, bytes]) -> None:
        path = headers[b":path"].decode()
        if headers.get(b":protocol") != self.http.token:
            self.respond(stream_id, path)
        elif path.startswith("/reject"):
            self.send_status(stream_id, path.rpartition("/")[2], end_stream=True)
        else:
            self.send_status(stream_id, "200", end_stream=False)
            self.begin(stream_id, path)

    def respond(self, stream_id: int, path: str) -> None:
        if path == "/hello":
            self.send_status(stream_id, "200", end_stream=False)
            self.http.send_data(stream_id, b"hello", end_stream=True)
        else:
            self.send_status(stream_id, "404", end_stream=True)

    def send_status(self, stream_id: int, status: str, end_stream: bool) -> None:
        headers = [(b":status", status.encode())]
        self.http.send_headers(stream_id, headers, end_stream)


def self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Makes a certificate that may be trusted by its hash: valid for 14 days at most."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=10))
        .sign(key, hashes.SHA256())
    )


async def main(draft: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = self_signed(key)
    configuration = QuicConfiguration(
        alpn_protocols=H3_ALPN,
        is_client=False,
        max_datagram_frame_size=65536,
        certificate=certificate,
        private_key=key,
    )
    create_protocol = partial(Server, draft=draft)
    server = await serve("::1", 0, configuration=configuration, create_protocol=create_protocol)
    _, port, *_ = server._transport.get_extra_info("sockname")
    say(url=f"https://[::1]:{port}", hash=certificate.fingerprint(hashes.SHA256()).hex())
    await asyncio.sleep(LIMIT)


asyncio.run(main(sys.argv[1]))
