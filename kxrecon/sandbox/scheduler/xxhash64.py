"""The hash behind KQL's ``hash()``: xxHash64 with seed 0 ("learn.microsoft.com, hash()").

Strings are hashed as UTF-8, whole numbers and datetimes (ticks since year 1) as eight little-endian bytes.
"""

from __future__ import annotations

import struct
from datetime import datetime

from kxrecon.sandbox.kusto.values import cursor

_MASK = (1 << 64) - 1
_P1, _P2, _P3 = 11400714785074694791, 14029467366897019727, 1609587929392839161
_P4, _P5 = 9650029242287828579, 2870177450012600261


def bucket(value: object, modulus: int) -> int:
    """``hash(value, modulus)``: the remainder of the hash read as a signed number, never negative."""
    number = digest(_bytes(value))
    signed = number - (1 << 64) if number >> 63 else number
    return abs(signed) % modulus


def _bytes(value: object) -> bytes:
    if isinstance(value, datetime):
        return struct.pack("<q", cursor(value))
    if isinstance(value, bool):
        return struct.pack("<q", int(value))
    if isinstance(value, int):
        return struct.pack("<q", value)
    if isinstance(value, float):
        return struct.pack("<d", value)
    return str(value).encode()


def digest(content: bytes) -> int:
    """xxHash64 of the bytes, as an unsigned number."""
    total, at = _stripes(content)
    total = (total + len(content)) & _MASK
    total = _tail(total, content, at)
    total = ((total ^ (total >> 33)) * _P2) & _MASK
    total = ((total ^ (total >> 29)) * _P3) & _MASK
    return total ^ (total >> 32)


def _stripes(content: bytes) -> tuple[int, int]:
    """The four lanes over blocks of 32 bytes, merged; and how far they went."""
    if len(content) < 32:
        return _P5, 0
    lanes = [(_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK]
    at = 0
    while at + 32 <= len(content):
        lanes = [_round(lane, word) for lane, word in zip(lanes, struct.unpack_from("<4Q", content, at), strict=True)]
        at += 32
    total = sum(_turn(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
    for lane in lanes:
        total = ((total ^ _round(0, lane)) * _P1 + _P4) & _MASK
    return total, at


def _tail(total: int, content: bytes, at: int) -> int:
    while at + 8 <= len(content):
        word = _round(0, struct.unpack_from("<Q", content, at)[0])
        total = (_turn(total ^ word, 27) * _P1 + _P4) & _MASK
        at += 8
    if at + 4 <= len(content):
        word = (struct.unpack_from("<I", content, at)[0] * _P1) & _MASK
        total = (_turn(total ^ word, 23) * _P2 + _P3) & _MASK
        at += 4
    for byte in content[at:]:
        total = (_turn(total ^ ((byte * _P5) & _MASK), 11) * _P1) & _MASK
    return total


def _round(lane: int, word: int) -> int:
    return (_turn((lane + word * _P2) & _MASK, 31) * _P1) & _MASK


def _turn(value: int, by: int) -> int:
    return ((value << by) | (value >> (64 - by))) & _MASK
