"""Serves sessions until it is killed, for a minute at most: `CERTIFICATE KEY`."""

import asyncio
import sys

from pywebtransport import ServerApp, ServerConfig, WebTransportSession

from session import CREDIT, LIMIT, run, say

PATHS = ["/echo/a", "/echo/b", "/greet", "/close"]


async def main(certificate: str, key: str) -> None:
    config = ServerConfig.create(certfile=certificate, keyfile=key, **CREDIT)
    app = ServerApp(config=config)

    async def handle(session: WebTransportSession) -> None:
        await run(session, session.path)

    for path in PATHS:
        app.route(path=path)(handle)
    async with app:
        # Any port that is free, which it takes from no argument.
        app.server.config.bind_port = 0
        await app.server.listen(host="127.0.0.1")
        _, port = app.server.local_address
        say(url=f"https://127.0.0.1:{port}")
        await asyncio.sleep(LIMIT)


asyncio.run(main(sys.argv[1], sys.argv[2]))
