"""Makes the requests of its arguments at once, on one connection: `DRAFT URL 'CONNECT /path' …`."""

import asyncio
import ssl
import sys
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from aioquic.asyncio import connect
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent

from connection import Connection, say
from drafts import ENABLE_WEBTRANSPORT_02, SETTINGS

LIMIT = 60


class Client(Connection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.requests: dict[int, tuple[str, str]] = {}
        self.statuses: dict[int, int] = {}
        self.settled = asyncio.Event()
        self.done = asyncio.Event()

    def request(self, method: str, authority: str, path: str) -> None:
        headers = [
            (b":method", method.encode()),
            (b":scheme", b"https"),
            (b":authority", authority.encode()),
            (b":path", path.encode()),
        ]
        if method == "CONNECT":
            headers.append((b":protocol", self.http.token))
            if ENABLE_WEBTRANSPORT_02 in self.http.sent_settings:
                headers.append((b"sec-webtransport-http3-draft02", b"1"))
        stream_id = self._quic.get_next_available_stream_id()
        self.requests[stream_id] = (method, path)
        self.http.send_headers(stream_id, headers, end_stream=method == "GET")

    def quic_event_received(self, event: QuicEvent) -> None:
        super().quic_event_received(event)
        if self.http.received_settings is not None:
            self.settled.set()

    def headers_received(self, stream_id: int, headers: dict[bytes, bytes]) -> None:
        method, path = self.requests[stream_id]
        status = int(headers[b":status"])
        if method == "CONNECT" and status == 200:
            say(path=path, status=status)
            self.begin(stream_id, path)
        else:
            self.statuses[stream_id] = status

    def body_received(self, stream_id: int, body: bytes) -> None:
        _, path = self.requests[stream_id]
        say(path=path, status=self.statuses[stream_id], body=body.decode())
        self.request_ended(stream_id)

    def session_ended(self, session_id: int) -> None:
        super().session_ended(session_id)
        self.request_ended(session_id)

    def request_ended(self, stream_id: int) -> None:
        del self.requests[stream_id]
        if not self.requests:
            self.done.set()


async def main(draft: str, url: str, requests: list[str]) -> None:
    server = urlsplit(url)
    configuration = QuicConfiguration(
        alpn_protocols=H3_ALPN,
        is_client=True,
        max_datagram_frame_size=65536,
        verify_mode=ssl.CERT_NONE,
    )
    connecting = connect(
        server.hostname,
        server.port,
        configuration=configuration,
        create_protocol=partial(Client, draft=draft),
    )
    async with asyncio.timeout(LIMIT), connecting as client:
        await client.settled.wait()
        announced = next(iter(SETTINGS[draft]))
        assert client.http.received_settings[announced] > 0
        for request in requests:
            method, path = request.split()
            client.request(method, server.netloc, path)
        client.transmit()
        await client.done.wait()


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
