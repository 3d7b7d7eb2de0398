"""Is this a whole video, and of what length and size? Answered from an MP4's boxes, without decoding anything.

A file is a tree of boxes: 4 bytes of length, 4 of type, content (ISO/IEC 14496-12). Only headers and a few small
boxes are read, by seeking. All counts, depths and reads are bounded, since the bytes come from a stranger.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

_MAX_BOXES: Final = 20_000  # headers read in all; a fragment of one second has about six
_MAX_FIELDS: Final = 512  # bytes of one box that are looked at
_MAX_SAMPLES: Final = 65_536  # sizes of the last chunk's samples that are summed
_MAX_MILLIS: Final = 24 * 3600 * 1000  # beyond it a duration is noise
_MAX_TRACKS: Final = 16
_NO_DURATION: Final = frozenset({0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF})
_C2PA: Final = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # the box of a C2PA manifest store


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What the headers of a whole file say."""

    duration_millis: int | None  # None: a fragmented file that does not say
    width: int  # pixels as shown
    height: int
    has_audio: bool
    content_credentials: bool  # C2PA is present; says nothing about its validity
    frames: int
    major_brand: str


@dataclass(frozen=True, slots=True)
class NotAVideo:
    """The bytes are no whole MP4 with a video track."""

    reason: str


class _BadFileError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int  # of the content
    end: int


@dataclass(slots=True)
class _Track:
    is_video: bool = False
    is_audio: bool = False
    number: int = 0
    width: int = 0
    height: int = 0
    turned: bool = False
    samples: int = 0
    media_end: int = 0  # where the last sample ends, as far as the tables say


def inspect(file: BinaryIO, size: int) -> Clip | NotAVideo:
    """The facts of the file with `size` bytes; its position is left anywhere. Raises only what `file` raises."""
    try:
        return _Reader(file, size).clip()
    except _BadFileError as error:
        return NotAVideo(str(error))
    except struct.error:
        return NotAVideo("a box is too short for what it must hold")


class _Reader:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._left = _MAX_BOXES

    def clip(self) -> Clip:
        top = list(self._boxes(0, self._size))
        if not top or top[0].kind != b"ftyp":
            raise _BadFileError("it does not begin with a ftyp box")
        movie = next((box for box in top if box.kind == b"moov"), None)
        if movie is None:
            raise _BadFileError("there is no moov box")
        if not any(box.kind == b"mdat" and box.end > box.start for box in top):
            raise _BadFileError("there is no media data")
        tracks = [self._track(box) for box in self._children(movie) if box.kind == b"trak"][:_MAX_TRACKS]
        video = next((track for track in tracks if track.is_video), None)
        if video is None or not (video.width and video.height):
            raise _BadFileError("there is no video track with a size")
        if max(track.media_end for track in tracks) > self._size:
            raise _BadFileError("the media data ends before its last sample")
        width, height = (video.height, video.width) if video.turned else (video.width, video.height)
        return Clip(
            duration_millis=self._duration(movie),
            width=width,
            height=height,
            has_audio=any(track.is_audio for track in tracks),
            content_credentials=any(box.kind == b"uuid" and self._fields(box)[:16] == _C2PA for box in top),
            frames=video.samples or self._fragment_frames(top, video.number),
            major_brand=self._fields(top[0])[:4].decode("ascii", "replace"),
        )

    # ---- boxes

    def _boxes(self, start: int, end: int) -> Iterator[_Box]:
        """The boxes between two offsets, which they must fill exactly."""
        at = start
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise _BadFileError("there are too many boxes")
            head = self._read(at, min(16, end - at))
            if len(head) < 8:  # noqa: PLR2004
                raise _BadFileError(f"it is cut in the header of a box at byte {at}")
            length, kind = struct.unpack_from(">I4s", head)
            begin = at + 8
            if length == 1:
                length, begin = struct.unpack_from(">Q", head, 8)[0], at + 16
            stop = end if length == 0 else at + length
            if stop < begin or stop > end:
                raise _BadFileError(
                    f"the box at byte {at} should end at byte {stop}, which is not within {begin} to {end}"
                )
            yield _Box(kind, begin, stop)
            at = stop

    def _children(self, box: _Box, skip: int = 0) -> Iterator[_Box]:
        return self._boxes(box.start + skip, box.end)

    def _find(self, box: _Box | None, *path: bytes) -> _Box | None:
        """The first box at `path` below `box`; the path's length is the depth that is ever reached."""
        for kind in path:
            box = next((child for child in self._children(box) if child.kind == kind), None) if box else None
        return box

    def _fields(self, box: _Box | None) -> bytes:
        return self._read(box.start, min(box.end - box.start, _MAX_FIELDS)) if box else b""

    def _read(self, start: int, count: int) -> bytes:
        self._file.seek(start)
        return self._file.read(count)

    # ---- the movie

    def _duration(self, movie: _Box) -> int | None:
        header = self._fields(self._find(movie, b"mvhd"))
        if not header:
            raise _BadFileError("there is no mvhd box")
        scale, duration = struct.unpack_from(">20xIQ" if header[0] == 1 else ">12xII", header)
        extends = self._fields(self._find(movie, b"mvex", b"mehd"))
        if duration in _NO_DURATION and extends:
            duration = struct.unpack_from(">4xQ" if extends[0] == 1 else ">4xI", extends)[0]
        if duration in _NO_DURATION or not scale:
            return None
        millis: int = (duration * 1000 + scale // 2) // scale
        return millis if millis < _MAX_MILLIS else None

    def _track(self, box: _Box) -> _Track:
        media = self._find(box, b"mdia")
        kind = self._fields(self._find(media, b"hdlr"))[8:12]
        track = _Track(is_video=kind == b"vide", is_audio=kind == b"soun")
        header = self._fields(self._find(box, b"tkhd"))
        if track.is_video:
            self._read_shape(track, header)
        tables = self._find(media, b"minf", b"stbl")
        if track.is_video:
            self._read_entry(track, self._find(tables, b"stsd"))
        self._read_samples(track, tables)
        return track

    def _read_shape(self, track: _Track, header: bytes) -> None:
        long = header[:1] == b"\1"
        track.number = struct.unpack_from(">I", header, 20 if long else 12)[0]
        straight, across = struct.unpack_from(">ii", header, 52 if long else 40)  # of the display matrix
        track.turned = straight == 0 and across != 0  # by 90 or 270 degrees
        width, height = struct.unpack_from(">II", header, 88 if long else 76)
        track.width, track.height = width >> 16, height >> 16

    def _read_entry(self, track: _Track, description: _Box | None) -> None:
        """The coded pixels, where the sample entry has them: the track header may be scaled."""
        if description is None:
            return
        entry = next(self._children(description, skip=8), None)
        fields = self._fields(entry)
        if len(fields) >= 28:  # noqa: PLR2004
            width, height = struct.unpack_from(">24xHH", fields)
            track.width, track.height = width or track.width, height or track.height

    def _read_samples(self, track: _Track, tables: _Box | None) -> None:
        """How many samples there are, and where the last one ends: a box that reaches to the end hides a cut."""
        sizes, chunks = self._find(tables, b"stsz"), self._find(tables, b"stco") or self._find(tables, b"co64")
        runs = self._find(tables, b"stsc")
        if sizes is None or chunks is None or runs is None:
            return
        fixed, track.samples = struct.unpack_from(">4xII", self._fields(sizes))
        wide = 8 if chunks.kind == b"co64" else 4
        offset = self._last(chunks, wide)
        per_chunk = self._last(runs, 12) >> 32 & 0xFFFFFFFF
        last = min(per_chunk, track.samples, _MAX_SAMPLES)
        track.media_end = offset + (last * fixed or sum(self._last_sizes(sizes, track.samples, last)))

    def _last(self, table: _Box, width: int) -> int:
        """The last entry of a table, as a number of `width` bytes; 0 if it is empty."""
        (count,) = struct.unpack_from(">4xI", self._fields(table))
        at = table.start + 8 + (count - 1) * width
        if count and at + width > table.end:
            raise _BadFileError("a table is longer than its box")
        return int.from_bytes(self._read(at, width), "big") if count else 0

    def _last_sizes(self, sizes: _Box, count: int, last: int) -> tuple[int, ...]:
        at = sizes.start + 12 + (count - last) * 4
        if at + last * 4 > sizes.end:
            raise _BadFileError("a table is longer than its box")
        return struct.unpack(f">{last}I", self._read(at, last * 4))

    def _fragment_frames(self, top: list[_Box], number: int) -> int:
        frames = 0
        for moof in (box for box in top if box.kind == b"moof"):
            for traf in (box for box in self._children(moof) if box.kind == b"traf"):
                if self._fields(self._find(traf, b"tfhd"))[4:8] == number.to_bytes(4, "big"):
                    runs = [box for box in self._children(traf) if box.kind == b"trun"]
                    frames += sum(struct.unpack_from(">4xI", self._fields(run))[0] for run in runs)
        return frames
