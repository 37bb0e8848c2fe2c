"""Track how a TCP connection went, in Zeek's words (`conn_state`).

The states of the two ends and what they make together follow Zeek's scripts/base/protocols/conn/main.zeek.
"""

from __future__ import annotations

from enum import IntEnum

from overproof.events.sources.pcap.packets import ACK, FIN, RST, SYN

FAILED = ("S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR")  # one side was silent, or refused


class EndpointState(IntEnum):
    """The state of one end of a connection."""

    SILENT = 0
    SYN_SENT = 1
    SYN_ACK_SENT = 2
    PARTIAL = 3  # seen in the middle
    ESTABLISHED = 4
    CLOSED = 5
    RESET = 6


class ConnectionStates(list[EndpointState]):
    """The states of originator and responder."""

    def __init__(self) -> None:
        super().__init__((EndpointState.SILENT, EndpointState.SILENT))

    def packet(self, flags: int, from_responder: bool) -> None:
        """Count a packet with these flags, from the responder if `from_responder`."""
        mine, other = self[from_responder], self[not from_responder]
        if self[0] == self[1] == EndpointState.CLOSED:
            return
        if flags & RST:
            self[from_responder] = EndpointState.RESET
        elif flags & FIN:
            self[from_responder] = max(mine, EndpointState.CLOSED)
        elif flags & SYN and mine == EndpointState.SILENT:
            if flags & ACK and other == EndpointState.SYN_SENT:
                self[0] = self[1] = EndpointState.ESTABLISHED
            else:
                self[from_responder] = EndpointState.SYN_ACK_SENT if flags & ACK else EndpointState.SYN_SENT
        elif mine == EndpointState.SILENT:
            self[from_responder] = EndpointState.PARTIAL
        elif mine == EndpointState.SYN_ACK_SENT and other == EndpointState.SYN_SENT:
            self[0] = self[1] = EndpointState.ESTABLISHED

    @property
    def ended(self) -> bool:
        """True if the connection has ended."""
        return EndpointState.RESET in self or self[0] == self[1] == EndpointState.CLOSED

    def state(self, silent: bool) -> str:
        """Return Zeek's word for it; `silent` is whether neither side sent any payload."""
        orig, resp = self
        if resp == EndpointState.RESET:
            if orig in (EndpointState.SYN_SENT, EndpointState.SYN_ACK_SENT) or (orig == EndpointState.RESET and silent):
                return "REJ"
            return "RSTRH" if orig == EndpointState.SILENT else "RSTR"
        if orig == EndpointState.RESET:
            return "RSTOS0" if resp == EndpointState.SILENT else "RSTO"
        if orig == resp == EndpointState.CLOSED:
            return "SF"
        if orig == EndpointState.CLOSED:
            return "SH" if resp == EndpointState.SILENT else "S2"
        if resp == EndpointState.CLOSED:
            return "SHR" if orig == EndpointState.SILENT else "S3"
        if orig == EndpointState.SYN_SENT and resp == EndpointState.SILENT:
            return "S0"
        return "S1" if orig == resp == EndpointState.ESTABLISHED else "OTH"
