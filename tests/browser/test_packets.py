"""Packets between the server and a console's process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.browser.packets import PacketError, PacketReader, encode_data, encode_meta


@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(1, 9))
def test_packets_arrive_whole_however_they_are_cut(bodies: list[bytes], size: int) -> None:
    sent = b"".join(map(encode_data, bodies)) + encode_meta("resize", width=80, height=24)
    reader = PacketReader()
    got = [packet for at in range(0, len(sent), size) for packet in reader.feed(sent[at : at + size])]
    assert got == [*((b"D", body) for body in bodies), (b"M", b'{"type":"resize","width":80,"height":24}')]


@pytest.mark.parametrize("bytes_", [b"Traceback (most recent", b"D\xff\xff\xff\xff"])
def test_what_is_no_packet_is_refused(bytes_: bytes) -> None:
    with pytest.raises(PacketError):
        list(PacketReader().feed(bytes_))
