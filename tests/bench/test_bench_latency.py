from __future__ import annotations

import asyncio
from typing import cast

from bench.parts.latency import SinkProtocol, Times


class Wire:
    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


def test_the_sink_takes_pipelined_messages_and_tells_their_numbers() -> None:
    numbers: list[int] = []
    wire, sink = Wire(), SinkProtocol(numbers.append)
    sink.connection_made(cast("asyncio.BaseTransport", wire))
    message = b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nFrom: a\r\nSubject: %d\r\n\r\nhi\r\n.\r\n"
    talk = b"EHLO x\r\n" + message % -3 + message % 12 + b"QUIT\r\n"
    for start in range(0, len(talk), 7):
        sink.data_received(talk[start : start + 7])
    assert numbers == [-3, 12]
    one = [b"250 ", b"250 ", b"354 ", b"250 "]
    assert [line[:4] for line in wire.written] == [b"220 ", b"250-", *one, *one, b"250 "]


def test_times_count_from_the_last_byte_sent() -> None:
    times = Times(sent={1: 10.0, 2: 11.0}, arrived={-1: 9.0, 1: 10.25, 2: 11.5})
    assert times.since_sent(times.arrived) == [250, 500]
