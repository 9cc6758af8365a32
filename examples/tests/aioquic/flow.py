"""The flow control of a session, which drafts have since 12 and aioquic leaves to whoever uses it."""

from collections import Counter
from collections.abc import Callable

from aioquic.buffer import Buffer, encode_uint_var

from drafts import INITIAL_MAX_DATA, INITIAL_MAX_STREAMS_BIDI, INITIAL_MAX_STREAMS_UNI

MAX_DATA = 0x190B4D3D
MAX_STREAMS_BIDI = 0x190B4D3F
MAX_STREAMS_UNI = 0x190B4D40
DATA_BLOCKED = 0x190B4D41
STREAMS_BLOCKED_BIDI = 0x190B4D43
STREAMS_BLOCKED_UNI = 0x190B4D44
FLOW_CONTROL_ERROR = 0x045D4487

# How much the other side may send, and how many streams it may open, ahead of what is done with.
WINDOWS = {MAX_DATA: 20_000, MAX_STREAMS_BIDI: 2, MAX_STREAMS_UNI: 2}
INITIAL = {
    MAX_DATA: INITIAL_MAX_DATA,
    MAX_STREAMS_BIDI: INITIAL_MAX_STREAMS_BIDI,
    MAX_STREAMS_UNI: INITIAL_MAX_STREAMS_UNI,
}
BLOCKED = {
    MAX_DATA: DATA_BLOCKED,
    MAX_STREAMS_BIDI: STREAMS_BLOCKED_BIDI,
    MAX_STREAMS_UNI: STREAMS_BLOCKED_UNI,
}

Send = Callable[[bytes], None]


class Exceeded(Exception):
    """The other side has sent, or opened, more than it may."""


class Unlimited:
    """None at all: what drafts before have."""

    limits: dict[int, int] = {}

    def spend(self, kind: int, amount: int) -> int:
        return amount

    def capsule_received(self, kind: int, value: bytes) -> None:
        pass

    def receive(self, kind: int, amount: int) -> None:
        pass

    def release(self, kind: int, amount: int) -> None:
        pass


class Flow:
    """Counts bytes and streams of either kind, which the kinds of capsules name that raise them.

    `send` sends a capsule.
    """

    def __init__(self, ours: dict[int, int], theirs: dict[int, int], send: Send) -> None:
        self.send = send
        self.limits = {kind: theirs.get(id, 0) for kind, id in INITIAL.items()}
        self.spent: Counter[int] = Counter()
        self.granted = {kind: ours.get(id, 0) for kind, id in INITIAL.items()}
        self.received: Counter[int] = Counter()
        self.released: Counter[int] = Counter()
        for kind in WINDOWS:
            self.grant(kind)

    def spend(self, kind: int, amount: int) -> int:
        """Takes as much of an amount as there is credit for; tells the other side if that is less."""
        most = min(amount, self.limits[kind] - self.spent[kind])
        self.spent[kind] += most
        if most < amount:
            self.send(capsule(BLOCKED[kind], encode_uint_var(self.limits[kind])))
        return most

    def capsule_received(self, kind: int, value: bytes) -> None:
        if kind in self.limits:
            self.limits[kind] = Buffer(data=value).pull_uint_var()

    def receive(self, kind: int, amount: int) -> None:
        """Counts what comes."""
        self.received[kind] += amount
        if self.received[kind] > self.granted[kind]:
            raise Exceeded

    def release(self, kind: int, amount: int) -> None:
        """Lets as much come anew."""
        self.released[kind] += amount
        self.grant(kind)

    def grant(self, kind: int) -> None:
        if self.granted[kind] - self.received[kind] <= WINDOWS[kind] / 2:
            limit = self.released[kind] + WINDOWS[kind]
            if limit > self.granted[kind]:
                self.granted[kind] = limit
                self.send(capsule(kind, encode_uint_var(limit)))


def capsule(kind: int, value: bytes) -> bytes:
    return encode_uint_var(kind) + encode_uint_var(len(value)) + value
