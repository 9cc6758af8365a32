"""What either side does in a session."""

import asyncio
import json
from typing import Any

from pywebtransport import WebTransportSession, WebTransportStream

LIMIT = 60
CODE = 42
HELLO = b"hello" * 20_000
# It renews none of this: its capsules lack the frame around them.
CREDIT = {
    "initial_max_data": 2 << 20,
    "initial_max_streams_bidi": 16,
    "initial_max_streams_uni": 16,
}


async def run(session: WebTransportSession, path: str) -> None:
    """Answers what comes by the path of the session and the same again, until the session ends.

    A session at /greet begins with a stream of either kind, one at /close is closed at once.
    """
    say(path=path)
    async with asyncio.TaskGroup() as tasks:
        answering = [
            tasks.create_task(answer_streams(session, path)),
            tasks.create_task(answer_datagrams(session, path)),
        ]
        if path.startswith("/greet"):
            tasks.create_task(greet(session, path))
        elif path.startswith("/close"):
            # Right behind it, the end of the connection would hide that of the session.
            reason = f"{path} is done"
            await session.close(code=CODE, reason=reason, close_connection=False)
        await session.wait_closed()
        for task in answering:
            task.cancel()


async def greet(session: WebTransportSession, path: str) -> None:
    hello = answer(path, HELLO)
    uni = await session.create_unidirectional_stream()
    await uni.write_all(data=hello)
    bi = await session.create_bidirectional_stream()
    await bi.write_all(data=hello)
    thanks = await bi.read_all()
    say(path=path, answer=thanks.decode())


async def answer_streams(session: WebTransportSession, path: str) -> None:
    async for stream in session.incoming_streams():
        answered = answer(path, await stream.read_all())
        if isinstance(stream, WebTransportStream):
            await stream.write_all(data=answered)
        else:
            uni = await session.create_unidirectional_stream()
            await uni.write_all(data=answered)


async def answer_datagrams(session: WebTransportSession, path: str) -> None:
    datagrams = await session.datagrams
    while True:
        await datagrams.send(data=answer(path, await datagrams.receive()))


def answer(path: str, content: bytes) -> bytes:
    return f"{path}: ".encode() + content


def say(**event: Any) -> None:
    """Tells the test what happened."""
    print(json.dumps(event), flush=True)
