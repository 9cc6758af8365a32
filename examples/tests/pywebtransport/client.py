"""Opens a session at a URL, whose server an authority vouches for: `AUTHORITY URL`.

Lives until it is killed, for a minute at most.
"""

import asyncio
import sys
from urllib.parse import urlsplit

from pywebtransport import ClientConfig, WebTransportClient

from session import CREDIT, LIMIT, run


async def main(authority: str, url: str) -> None:
    config = ClientConfig.create(ca_certs=authority, **CREDIT)
    async with asyncio.timeout(LIMIT), WebTransportClient(config=config) as client:
        session = await client.connect(url=url)
        await run(session, urlsplit(url).path)
        await asyncio.sleep(LIMIT)


asyncio.run(main(sys.argv[1], sys.argv[2]))
