"""What a side announces by each draft of WebTransport."""

from aioquic.h3.connection import H3Connection, Setting
from aioquic.quic.connection import QuicConnection

ENABLE_WEBTRANSPORT_02 = 0x2B603742
MAX_SESSIONS_02 = 0x2B603743
ENABLE_06 = 0x3C48D522
MAX_SESSIONS_07 = 0xC671706A
MAX_SESSIONS_13 = 0x14E9CD29
ENABLED_15 = 0x2C7CF000
INITIAL_MAX_DATA = 0x2B61
INITIAL_MAX_STREAMS_UNI = 0x2B64
INITIAL_MAX_STREAMS_BIDI = 0x2B65

SESSIONS = 16
CREDIT = {
    INITIAL_MAX_DATA: 20_000,
    INITIAL_MAX_STREAMS_UNI: 2,
    INITIAL_MAX_STREAMS_BIDI: 2,
}
# The first of each is what announces the draft.
SETTINGS = {
    "02": {ENABLE_WEBTRANSPORT_02: 1, MAX_SESSIONS_02: SESSIONS},
    "06": {ENABLE_06: 1, MAX_SESSIONS_02: SESSIONS},
    "07": {MAX_SESSIONS_07: SESSIONS},
    # More than one session asks for flow control, which then begins without any credit.
    "13": {MAX_SESSIONS_13: SESSIONS},
    "14": {MAX_SESSIONS_13: SESSIONS, **CREDIT},
    "16": {ENABLED_15: 1, **CREDIT},
}


class Http(H3Connection):
    """HTTP/3 whose SETTINGS are those of one draft, which names sessions by a token of its own."""

    def __init__(self, quic: QuicConnection, draft: str) -> None:
        self.draft = draft
        self.token = b"webtransport-h3" if draft == "16" else b"webtransport"
        super().__init__(quic)

    def _get_local_settings(self) -> dict[int, int]:
        settings = super()._get_local_settings()
        return {**settings, Setting.H3_DATAGRAM: 1, **SETTINGS[self.draft]}
