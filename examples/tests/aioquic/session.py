"""One session: what it waits to send, and the capsules that come."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from aioquic.buffer import Buffer, BufferReadError

from flow import Flow, Unlimited


@dataclass
class Outgoing:
    """What is to be sent on a stream, to its end."""

    content: bytes
    is_unidirectional: bool
    # None until the stream is open.
    stream_id: int | None = None
    is_theirs: bool = False


@dataclass
class Session:
    path: str
    flow: Flow | Unlimited
    outgoing: deque[Outgoing] = field(default_factory=deque)
    received: bytes = b""
    # What the other side closes it with, unless it says more.
    code: int = 0
    reason: str = ""

    def capsules(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Gives the capsules that `data` completes."""
        buffer = Buffer(data=self.received + data)
        read = 0
        try:
            while True:
                kind = buffer.pull_uint_var()
                value = buffer.pull_bytes(buffer.pull_uint_var())
                read = buffer.tell()
                yield kind, value
        except BufferReadError:
            self.received = buffer.data_slice(read, buffer.capacity)
