"""Sessions on aioquic, which leaves requests and capsules to whoever uses it."""

import json
from typing import Any

from aioquic.asyncio import QuicConnectionProtocol
from aioquic.buffer import Buffer, encode_uint_var
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import (
    DatagramReceived,
    DataReceived,
    H3Event,
    HeadersReceived,
    WebTransportStreamDataReceived,
)
from aioquic.quic.connection import stream_is_unidirectional
from aioquic.quic.events import QuicEvent, StreamDataReceived

CLOSE_SESSION = 0x2843
CODE = 42
HELLO = b"hello" * 20_000


class Connection(QuicConnectionProtocol):
    """Answers what comes in a session by the path of the session and the same again.

    A session at /greet begins with a stream of either kind, one at /close is closed at once.
    """

    http_class = H3Connection

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.http = self.http_class(self._quic, enable_webtransport=True)
        self.sessions: dict[int, str] = {}
        self.greetings: dict[int, str] = {}
        self.received: dict[int, bytes] = {}

    def headers_received(self, stream_id: int, headers: dict[bytes, bytes]) -> None:
        """Takes the headers of a request or a response."""
        raise NotImplementedError

    def body_received(self, stream_id: int, body: bytes) -> None:
        """Takes the body of a request or a response that is no session's."""

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived) and event.stream_id in self.greetings:
            # aioquic would take what comes back on a stream of this side's for HTTP/3 frames.
            content = self.whole(event.stream_id, event.data, event.end_stream)
            if content is not None:
                say(path=self.greetings[event.stream_id], answer=content.decode())
            return
        for http_event in self.http.handle_event(event):
            self.http_event_received(http_event)

    def http_event_received(self, event: H3Event) -> None:
        match event:
            case HeadersReceived(headers=headers, stream_id=id, stream_ended=ended):
                self.headers_received(id, dict(headers))
                self.data_received(id, b"", ended)
            case DataReceived(data=data, stream_id=id, stream_ended=ended):
                self.data_received(id, data, ended)
            case WebTransportStreamDataReceived(session_id=session_id, stream_id=id):
                content = self.whole(id, event.data, event.stream_ended)
                if content is not None:
                    self.answer_stream(session_id, id, content)
            case DatagramReceived(data=data, stream_id=session_id):
                self.http.send_datagram(session_id, self.answer(session_id, data))

    def data_received(self, stream_id: int, data: bytes, ended: bool) -> None:
        content = self.whole(stream_id, data, ended)
        if content is None:
            return
        if stream_id in self.sessions:
            self.session_ended(stream_id, content)
        else:
            self.body_received(stream_id, content)

    def begin(self, session_id: int, path: str) -> None:
        """Begins a session that both sides have agreed on."""
        self.sessions[session_id] = path
        if path.startswith("/greet"):
            hello = self.answer(session_id, HELLO)
            self.open_stream(session_id, hello, is_unidirectional=True)
            greeting = self.open_stream(session_id, hello, is_unidirectional=False)
            self.greetings[greeting] = path
        elif path.startswith("/close"):
            value = CODE.to_bytes(4, "big") + f"{path} is done".encode()
            capsule = encode_uint_var(CLOSE_SESSION) + encode_uint_var(len(value)) + value
            self.http.send_data(session_id, capsule, end_stream=True)

    def session_ended(self, session_id: int, capsules: bytes) -> None:
        path = self.sessions[session_id]
        code, reason = read_close(capsules)
        say(path=path, code=code, reason=reason)
        if not path.startswith("/close"):
            self.http.send_data(session_id, b"", end_stream=True)

    def answer_stream(self, session_id: int, stream_id: int, content: bytes) -> None:
        answer = self.answer(session_id, content)
        if stream_is_unidirectional(stream_id):
            self.open_stream(session_id, answer, is_unidirectional=True)
        else:
            self._quic.send_stream_data(stream_id, answer, end_stream=True)

    def open_stream(self, session_id: int, content: bytes, is_unidirectional: bool) -> int:
        stream_id = self.http.create_webtransport_stream(session_id, is_unidirectional)
        self._quic.send_stream_data(stream_id, content, end_stream=True)
        return stream_id

    def answer(self, session_id: int, content: bytes) -> bytes:
        return f"{self.sessions[session_id]}: ".encode() + content

    def whole(self, stream_id: int, data: bytes, ended: bool) -> bytes | None:
        """Returns all that came on a stream, once it has ended."""
        content = self.received.pop(stream_id, b"") + data
        if ended:
            return content
        self.received[stream_id] = content
        return None


def read_close(capsules: bytes) -> tuple[int, str]:
    """Returns what a session was closed with: 0 and nothing, unless a capsule says more."""
    buffer = Buffer(data=capsules)
    while not buffer.eof():
        kind = buffer.pull_uint_var()
        value = buffer.pull_bytes(buffer.pull_uint_var())
        if kind == CLOSE_SESSION:
            return int.from_bytes(value[:4], "big"), value[4:].decode()
    return 0, ""


def say(**event: Any) -> None:
    """Tells the test what happened."""
    print(json.dumps(event), flush=True)
