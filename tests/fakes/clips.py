"""Small MP4 files, made of boxes alone: whole by every rule of the operator, though no player would show them."""

import struct

C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_UNITY = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def full(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def tiny_mp4(
    width: int = 1280,
    height: int = 720,
    seconds: float = 8,
    *,
    audio: bool = True,
    c2pa: bool = False,
    padding: int = 0,
) -> bytes:
    """A file with the given facts in its headers, 24 frames a second, and `padding` more bytes of media."""
    head = box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2avc1mp41")
    credentials = box(b"uuid", C2PA, b"\0" * 16) if c2pa else b""
    media = box(b"mdat", b"\x5a" * (64 + padding))
    offset = len(head) + len(credentials) + 8
    tracks = [_video(width, height, seconds, offset), *([_audio(seconds, offset)] if audio else [])]
    header = full(b"mvhd", struct.pack(">4I", 0, 0, 1000, round(seconds * 1000)), b"\0" * 80)
    return head + credentials + media + box(b"moov", header, *tracks)


def _video(width: int, height: int, seconds: float, offset: int) -> bytes:
    entry = box(b"avc1", b"\0" * 6, b"\0\1", b"\0" * 16, struct.pack(">2H", width, height), b"\0" * 50)
    shape = struct.pack(">2I", width << 16, height << 16)
    return _track(b"vide", 1, entry, round(seconds * 24), shape, offset)


def _audio(seconds: float, offset: int) -> bytes:
    entry = box(b"mp4a", b"\0" * 28)
    return _track(b"soun", 2, entry, round(seconds * 48000 / 1024), b"\0" * 8, offset)


def _track(kind: bytes, number: int, entry: bytes, samples: int, shape: bytes, offset: int) -> bytes:
    header = full(b"tkhd", struct.pack(">5I", 0, 0, number, 0, 0), b"\0" * 16, _UNITY, shape, flags=3)
    table = box(
        b"stbl",
        full(b"stsd", struct.pack(">I", 1), entry),
        full(b"stsz", struct.pack(">2I", 0, samples), struct.pack(">I", 0) * samples),
        full(b"stsc", struct.pack(">4I", 1, 1, samples, 1)),
        full(b"stco", struct.pack(">2I", 1, offset)),
    )
    handler = full(b"hdlr", b"\0" * 4, kind, b"\0" * 13)
    return box(b"trak", header, box(b"mdia", handler, box(b"minf", table)))
