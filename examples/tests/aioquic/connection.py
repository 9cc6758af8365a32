"""Sessions on aioquic, which leaves requests and capsules to whoever uses it."""

import json
from collections import deque
from typing import Any

from aioquic.asyncio import QuicConnectionProtocol
from aioquic.h3.events import (
    DatagramReceived,
    DataReceived,
    H3Event,
    HeadersReceived,
    WebTransportStreamDataReceived,
)
from aioquic.quic.connection import stream_is_unidirectional
from aioquic.quic.events import QuicEvent, StreamDataReceived

from drafts import Http
from flow import (
    FLOW_CONTROL_ERROR,
    MAX_DATA,
    MAX_STREAMS_BIDI,
    MAX_STREAMS_UNI,
    Exceeded,
    Flow,
    Unlimited,
    capsule,
)
from session import Outgoing, Session

CLOSE_SESSION = 0x2843
CODE = 42
HELLO = b"hello" * 20_000


class Connection(QuicConnectionProtocol):
    """Answers what comes in a session by the path of the session and the same again.

    A session at /greet begins with a stream of either kind, one at /close is closed at once, and
    one at /count says at its end how many bytes it was allowed to send.
    """

    def __init__(self, *args: Any, draft: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.http = Http(self._quic, draft)
        self.events: deque[H3Event] = deque()
        self.sessions: dict[int, Session] = {}
        self.greetings: dict[int, int] = {}
        self.received: dict[int, bytes] = {}

    def headers_received(self, stream_id: int, headers: dict[bytes, bytes]) -> None:
        """Takes the headers of a request or a response."""
        raise NotImplementedError

    def body_received(self, stream_id: int, body: bytes) -> None:
        """Takes the body of a request or a response that is no session's."""

    def quic_event_received(self, event: QuicEvent) -> None:
        try:
            if isinstance(event, StreamDataReceived) and event.stream_id in self.greetings:
                # aioquic would take what comes back on a stream of this side's for HTTP/3 frames.
                self.thanks_received(event)
                return
            self.events.extend(self.http.handle_event(event))
            # What a session allows is not known before.
            while self.events and self.http.received_settings is not None:
                self.http_event_received(self.events.popleft())
        except Exceeded:
            self._quic.close(FLOW_CONTROL_ERROR)

    def http_event_received(self, event: H3Event) -> None:
        match event:
            case HeadersReceived(headers=headers, stream_id=id, stream_ended=ended):
                self.headers_received(id, dict(headers))
                self.data_received(id, b"", ended)
            case DataReceived(data=data, stream_id=id, stream_ended=ended):
                self.data_received(id, data, ended)
            case WebTransportStreamDataReceived(session_id=session_id, stream_id=id):
                flow = self.sessions[session_id].flow
                if id not in self.received:
                    flow.receive(streams(id), 1)
                content = self.content(flow, id, event.data, event.stream_ended)
                if content is not None:
                    self.answer_stream(session_id, id, content)
            case DatagramReceived(data=data, stream_id=session_id):
                self.http.send_datagram(session_id, self.answer(session_id, data))

    def data_received(self, stream_id: int, data: bytes, ended: bool) -> None:
        if session := self.sessions.get(stream_id):
            for kind, value in session.capsules(data):
                self.capsule_received(session, kind, value)
            self.send(stream_id)
            if ended:
                self.session_ended(stream_id)
        else:
            content = self.whole(stream_id, data, ended)
            if content is not None:
                self.body_received(stream_id, content)

    def capsule_received(self, session: Session, kind: int, value: bytes) -> None:
        if kind == CLOSE_SESSION:
            session.code = int.from_bytes(value[:4], "big")
            session.reason = value[4:].decode()
        session.flow.capsule_received(kind, value)

    def begin(self, session_id: int, path: str) -> None:
        """Begins a session that both sides have agreed on."""
        self.sessions[session_id] = Session(path, self.flow(session_id))
        if path.startswith("/greet"):
            hello = self.answer(session_id, HELLO)
            self.open_stream(session_id, hello, is_unidirectional=True)
            self.open_stream(session_id, hello, is_unidirectional=False)
        elif path.startswith("/close"):
            value = CODE.to_bytes(4, "big") + f"{path} is done".encode()
            self.http.send_data(session_id, capsule(CLOSE_SESSION, value), end_stream=True)

    def flow(self, session_id: int) -> Flow | Unlimited:
        ours, theirs = self.http.sent_settings, self.http.received_settings
        if self.http.draft < "13":
            return Unlimited()
        return Flow(ours, theirs, lambda capsule: self.http.send_data(session_id, capsule, False))

    def session_ended(self, session_id: int) -> None:
        session = self.sessions[session_id]
        if session.path.startswith("/count"):
            say(path=session.path, max_data=session.flow.limits.get(MAX_DATA))
        say(path=session.path, code=session.code, reason=session.reason)
        if not session.path.startswith("/close"):
            self.http.send_data(session_id, b"", end_stream=True)

    def thanks_received(self, event: StreamDataReceived) -> None:
        session = self.sessions[self.greetings[event.stream_id]]
        content = self.content(session.flow, event.stream_id, event.data, event.end_stream)
        if content is not None:
            say(path=session.path, answer=content.decode())

    def answer_stream(self, session_id: int, stream_id: int, content: bytes) -> None:
        answer = self.answer(session_id, content)
        session = self.sessions[session_id]
        if stream_is_unidirectional(stream_id):
            session.flow.release(MAX_STREAMS_UNI, 1)
            self.open_stream(session_id, answer, is_unidirectional=True)
        else:
            session.outgoing.append(Outgoing(answer, False, stream_id, is_theirs=True))
            self.send(session_id)

    def open_stream(self, session_id: int, content: bytes, is_unidirectional: bool) -> None:
        """Opens a stream with this content, as soon as there is credit for it."""
        self.sessions[session_id].outgoing.append(Outgoing(content, is_unidirectional))
        self.send(session_id)

    def send(self, session_id: int) -> None:
        """Sends what waits, in its order, as far as there is credit."""
        session = self.sessions[session_id]
        while session.outgoing:
            first = session.outgoing[0]
            if first.stream_id is None:
                kind = MAX_STREAMS_UNI if first.is_unidirectional else MAX_STREAMS_BIDI
                if not session.flow.spend(kind, 1):
                    return
                first.stream_id = self.http.create_webtransport_stream(
                    session_id, first.is_unidirectional
                )
                if not first.is_unidirectional:
                    self.greetings[first.stream_id] = session_id
            amount = session.flow.spend(MAX_DATA, len(first.content))
            sent, first.content = first.content[:amount], first.content[amount:]
            self._quic.send_stream_data(first.stream_id, sent, end_stream=not first.content)
            if first.content:
                return
            session.outgoing.popleft()
            if first.is_theirs:
                session.flow.release(MAX_STREAMS_BIDI, 1)

    def answer(self, session_id: int, content: bytes) -> bytes:
        return f"{self.sessions[session_id].path}: ".encode() + content

    def content(
        self, flow: Flow | Unlimited, stream_id: int, data: bytes, ended: bool
    ) -> bytes | None:
        """Returns all that came on a session's stream, once it has ended."""
        flow.receive(MAX_DATA, len(data))
        flow.release(MAX_DATA, len(data))
        return self.whole(stream_id, data, ended)

    def whole(self, stream_id: int, data: bytes, ended: bool) -> bytes | None:
        """Returns all that came on a stream, once it has ended."""
        content = self.received.pop(stream_id, b"") + data
        if ended:
            return content
        self.received[stream_id] = content
        return None


def streams(stream_id: int) -> int:
    """Names what raises how many such streams there may be."""
    return MAX_STREAMS_UNI if stream_is_unidirectional(stream_id) else MAX_STREAMS_BIDI


def say(**event: Any) -> None:
    """Tells the test what happened."""
    print(json.dumps(event), flush=True)
