"""A small DNS server for tests, over UDP and TCP, with a zone that is a dictionary and servers that misbehave."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SERVFAIL = "SERVFAIL"
SILENT = "SILENT"
TRUNCATED = "TRUNCATED"
"""Instead of records: what the server does when asked. `TRUNCATED` is UDP's answer, TCP gives the records after it."""

Zone = Mapping[tuple[str, str], Sequence[str]]


class DnsServer:
    """Answers for `{("contoso.test", "MX"): ["10 mail.contoso.test."]}`; a name that isn't in it is NXDOMAIN.

    The zone may change meanwhile. CNAMEs are followed within it, as a resolver does it. `questions` is what was asked:
    `MX contoso.test`.
    """

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self.questions: list[str] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port: int = self._tcp.sockets[0].getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=("127.0.0.1", self._port), family=socket.AF_INET
        )
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._udp.close()
        self._tcp.close()
        await self._tcp.wait_closed()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            if answer := self.answer(await reader.readexactly(length), tcp=True):
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        finally:
            writer.close()

    def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        self.questions.append(f"{kind} {question.name.to_text(omit_final_dot=True)}")
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        return self._fill(response, question.name, kind, tcp=tcp)

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: str, *, tcp: bool) -> bytes | None:
        records = list(self._zone.get((name.to_text(omit_final_dot=True), kind), ()))
        alias = self._zone.get((name.to_text(omit_final_dot=True), "CNAME"), ())
        if SILENT in records:
            return None
        if SERVFAIL in records:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif TRUNCATED in records and not tcp:
            response.flags |= dns.flags.TC
        elif name not in {dns.name.from_text(known) for known, _ in self._zone}:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif found := [record for record in records if record != TRUNCATED]:
            response.answer.append(dns.rrset.from_text(name, 300, "IN", kind, *found))
        elif alias and len(response.answer) < 20:  # a loop of aliases must end somewhere
            response.answer.append(dns.rrset.from_text(name, 300, "IN", "CNAME", *alias))
            return self._fill(response, dns.name.from_text(alias[0]), kind, tcp=tcp)
        return response.to_wire()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if answer := self._server.answer(data, tcp=False):
            self._transport.sendto(answer, addr)
