"""The boxes of an MP4 file (ISO/IEC 14496-12): each a length, a name and what is in it."""

from collections.abc import Sequence

MATRIX = b"".join(n.to_bytes(4, "big") for n in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
ENGLISH_UNKNOWN = 0x55C4  # "und", three letters of five bits
VISIBLE = 3  # a track that is enabled and belongs to the film


def u16(*values: int) -> bytes:
    """16-bit numbers."""
    return b"".join(value.to_bytes(2, "big") for value in values)


def u32(*values: int) -> bytes:
    """32-bit numbers."""
    return b"".join(value.to_bytes(4, "big") for value in values)


def box(name: bytes, *content: bytes) -> bytes:
    """A box."""
    body = b"".join(content)
    return u32(8 + len(body)) + name + body


def full(name: bytes, *content: bytes, flags: int = 0) -> bytes:
    """A box that has a version (0) and flags."""
    return box(name, u32(flags), *content)


def table(name: bytes, entries: Sequence[bytes]) -> bytes:
    """A full box that is a list with its count."""
    return full(name, u32(len(entries)), *entries)


def movie_header(milliseconds: int) -> bytes:
    """`mvhd`, in milliseconds."""
    rate_and_volume = u32(0x10000) + u16(0x0100, 0) + u32(0, 0)
    return full(b"mvhd", u32(0, 0, 1000, milliseconds), rate_and_volume, MATRIX, u32(0, 0, 0, 0, 0, 0), u32(3))


def track_header(number: int, milliseconds: int, *, width: int, height: int, volume: int) -> bytes:
    """`tkhd`; a sound has no width and height."""
    layer = u16(0, 0 if volume == 0 else 1, volume, 0)
    head = u32(0, 0, number, 0, milliseconds, 0, 0)
    return full(b"tkhd", head, layer, MATRIX, u32(width << 16, height << 16), flags=VISIBLE)


def edit(milliseconds: int) -> bytes:
    """Play this much of the track, from its start."""
    return box(b"edts", full(b"elst", u32(1, milliseconds, 0, 0x10000)))


def media_header(timescale: int, duration: int) -> bytes:
    """`mdhd`."""
    return full(b"mdhd", u32(0, 0, timescale, duration), u16(ENGLISH_UNKNOWN, 0))


def handler(kind: bytes, name: bytes) -> bytes:
    """`hdlr`: what kind of track it is."""
    return full(b"hdlr", u32(0), kind, u32(0, 0, 0), name, b"\0")


def same_file() -> bytes:
    """`dinf`: the samples lie in this file."""
    return box(b"dinf", table(b"dref", [full(b"url ", flags=1)]))


def h264_entry(width: int, height: int, record: bytes) -> bytes:
    """The sample description of H.264."""
    pixels = u16(width, height) + u32(0x480000, 0x480000, 0) + u16(1)
    return box(b"avc1", bytes(6), u16(1), bytes(16), pixels, bytes(32), u16(24, 0xFFFF), box(b"avcC", record))


def aac_entry(rate: int, config: bytes) -> bytes:
    """The sample description of stereo AAC with its elementary stream descriptor (ISO/IEC 14496-1, 7.2.6.5)."""
    decoder = descriptor(4, b"\x40\x15", bytes(3), u32(0, 0), descriptor(5, config))
    stream = full(b"esds", descriptor(3, u16(1), b"\0", decoder, descriptor(6, b"\2")))
    return box(b"mp4a", bytes(6), u16(1), bytes(8), u16(2, 16, 0, 0), u32(rate << 16), stream)


def descriptor(tag: int, *content: bytes) -> bytes:
    """A descriptor shorter than 128 bytes."""
    body = b"".join(content)
    return bytes([tag, len(body)]) + body
