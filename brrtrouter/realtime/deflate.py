"""permessage-deflate of wsproto, with control frames between the fragments of a message (RFC 7692 section 6.1)."""

from __future__ import annotations

from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits


class Deflate(PerMessageDeflate):
    """Control frames are never compressed, and say nothing about the message that they come inside of.

    In wsproto one in the middle of a message makes the rest of that message count as not compressed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._control = False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        """Which reserved bits a frame may have."""
        self._control = opcode.iscontrol()
        if self._control:
            return RsvBits(False, False, False)
        return super().frame_inbound_header(proto, opcode, rsv, payload_length)

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes | CloseReason:
        """Some of the payload of a frame."""
        return data if self._control else super().frame_inbound_payload_data(proto, data)

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> bytes | CloseReason | None:
        """What the end of a frame adds to its payload."""
        return None if self._control else super().frame_inbound_complete(proto, fin)
