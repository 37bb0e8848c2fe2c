"""How a TCP connection went, in Zeek's words (`conn_state`).

The states of the two ends and what they make together follow Zeek's scripts/base/protocols/conn/main.zeek.
"""

from __future__ import annotations

from enum import IntEnum

from overproof.events.sources.pcap.packets import ACK, FIN, RST, SYN

FAILED = ("S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR")  # one side was silent, or said no


class End(IntEnum):
    """What one end of a connection has done."""

    SILENT = 0
    SYN_SENT = 1
    SYN_ACK_SENT = 2
    PARTIAL = 3  # seen in the middle
    ESTABLISHED = 4
    CLOSED = 5
    RESET = 6


class Ends(list[End]):
    """The states of originator and responder."""

    def __init__(self) -> None:
        super().__init__((End.SILENT, End.SILENT))

    def packet(self, flags: int, back: bool) -> None:
        """A packet with these flags, from the responder if `back`."""
        mine, other = self[back], self[not back]
        if self[0] == self[1] == End.CLOSED:
            return
        if flags & RST:
            self[back] = End.RESET
        elif flags & FIN:
            self[back] = max(mine, End.CLOSED)
        elif flags & SYN and mine == End.SILENT:
            if flags & ACK and other == End.SYN_SENT:
                self[0] = self[1] = End.ESTABLISHED
            else:
                self[back] = End.SYN_ACK_SENT if flags & ACK else End.SYN_SENT
        elif mine == End.SILENT:
            self[back] = End.PARTIAL
        elif mine == End.SYN_ACK_SENT and other == End.SYN_SENT:
            self[0] = self[1] = End.ESTABLISHED

    @property
    def over(self) -> bool:
        """Whether the connection has ended."""
        return End.RESET in self or self[0] == self[1] == End.CLOSED

    def state(self, silent: bool) -> str:
        """The word for it; `silent` is whether neither side sent any payload."""
        orig, resp = self
        if resp == End.RESET:
            if orig in (End.SYN_SENT, End.SYN_ACK_SENT) or (orig == End.RESET and silent):
                return "REJ"
            return "RSTRH" if orig == End.SILENT else "RSTR"
        if orig == End.RESET:
            return "RSTOS0" if resp == End.SILENT else "RSTO"
        if orig == resp == End.CLOSED:
            return "SF"
        if orig == End.CLOSED:
            return "SH" if resp == End.SILENT else "S2"
        if resp == End.CLOSED:
            return "SHR" if orig == End.SILENT else "S3"
        if orig == End.SYN_SENT and resp == End.SILENT:
            return "S0"
        return "S1" if orig == resp == End.ESTABLISHED else "OTH"
