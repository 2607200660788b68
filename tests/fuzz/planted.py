"""Codecs with a bug each, which the fuzzer must find; not being told, it would find nothing in the real one either."""

import orjson

from data_plane.gateway import packets
from data_plane.gateway.packets import PRODUCT
from tests.fuzz.targets import DOCUMENTED, Target


def trusting(data: bytes) -> None:
    """Believes that what follows an acknowledgement's id is a list."""
    try:
        packets.decode(data, PRODUCT)
    except DOCUMENTED:
        if data[:2] == b"31":
            len(orjson.loads(data[2:] or b"[]"))


def stumbling(data: bytes) -> None:
    """Stumbles over events whose name holds a digit, which no seed's does."""
    try:
        packet = packets.decode(data, PRODUCT)
    except DOCUMENTED:
        return
    if any(character.isdigit() for character in packet.event):
        raise RuntimeError("planted")


PLANTED: dict[str, Target] = {"planted-trusting": trusting, "planted-stumbling": stumbling}
