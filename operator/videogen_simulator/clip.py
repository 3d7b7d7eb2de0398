"""MP4 clips without an encoder: one picture per size and a silent sound, muxed when asked.

Layout: ftyp, free (the task's id), uuid (C2PA, on request), moov, mdat. Padding lies inside mdat, before the
samples, so that a clip that was cut lacks its pictures, as a real one does. It is made while it is sent.
"""

import base64
import hashlib
import importlib.resources
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from . import boxes
from .boxes import box, full, table, u32

FRAMES_PER_SECOND = 24
TICKS_PER_FRAME = 512
SOUND_RATE = 48_000
SOUND_FRAME = 1024
SECONDS_PER_KEY_PICTURE = 2
CHUNK = 1 << 18
C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
C2PA_STORE = bytes.fromhex("6332706100110010800000aa00389b71")  # the JUMBF type of a manifest store


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """The samples of one pixel size."""

    width: int
    height: int
    record: bytes
    first: bytes
    following: tuple[bytes, ...]

    def samples(self, seconds: int) -> list[bytes]:
        """The pictures of a clip: a key picture every two seconds, between them pictures that say "as before"."""
        group = FRAMES_PER_SECOND * SECONDS_PER_KEY_PICTURE
        whole = [self.first] + [self.following[n % len(self.following)] for n in range(group - 1)]
        return [whole[n % group] for n in range(seconds * FRAMES_PER_SECOND)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """The silent frame and how to decode it."""

    config: bytes
    frame: bytes

    def samples(self, seconds: int) -> list[bytes]:
        """As many frames as cover the clip."""
        return [self.frame] * -(-seconds * SOUND_RATE // SOUND_FRAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """The bytes of an MP4, of which only the ends are held."""

    head: bytes
    padding: int
    tail: bytes
    name: str

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.head) + self.padding + len(self.tail)

    def chunks(self) -> Iterator[bytes]:
        """The bytes in order."""
        yield self.head
        if self.padding:
            block = hashlib.shake_256(self.name.encode()).digest(min(CHUNK, self.padding))
            for _ in range(self.padding // len(block)):
                yield block
            yield block[: self.padding % len(block)]
        yield self.tail


def clip(name: str, size: str, seconds: int, *, total: int = 0, c2pa: bool = False) -> Clip:
    """The clip of a task, padded to `total` bytes if it is smaller than that."""
    pictures, sound = resource()
    film = pictures[size]
    plain = muxed(name, film, sound, seconds, 0, c2pa=c2pa)
    missing = max(0, total - plain.size)
    return muxed(name, film, sound, seconds, missing, c2pa=c2pa) if missing else plain


def muxed(name: str, film: Pictures, sound: Sound, seconds: int, padding: int, *, c2pa: bool) -> Clip:
    """All boxes of a clip with so much padding."""
    shots, tones = seconds_of(film.samples(seconds), seconds), seconds_of(sound.samples(seconds), seconds)
    lengths = [sum(map(len, part)) for pair in zip(shots, tones, strict=True) for part in pair]
    tail = b"".join(sample for pair in zip(shots, tones, strict=True) for part in pair for sample in part)
    front = opening(name, c2pa=c2pa)
    moov_size = len(moov(film, sound, seconds, [shots, tones], [0] * len(lengths)))
    start = len(front) + moov_size + 8 + padding
    places = [start + before for before in accumulate([0, *lengths[:-1]])]
    mdat = u32(8 + padding + len(tail)) + b"mdat"
    head = front + moov(film, sound, seconds, [shots, tones], places) + mdat
    return Clip(head=head, padding=padding, tail=tail, name=name)


def seconds_of(samples: list[bytes], seconds: int) -> list[list[bytes]]:
    """The samples in as many runs as there are seconds: the chunks of a track."""
    step = -(-len(samples) // seconds)
    return [samples[at * step : (at + 1) * step] for at in range(seconds)]


def opening(name: str, *, c2pa: bool) -> bytes:
    """What stands before moov: brands, the task's id, and a C2PA box if asked."""
    front = box(b"ftyp", b"isom", u32(512), b"isomiso2avc1mp41") + box(b"free", f"videogen simulator {name}".encode())
    return front + (c2pa_box() if c2pa else b"")


def c2pa_box() -> bytes:
    """A uuid box as C2PA places it (Content Credentials, "Embedding manifests into BMFF-based assets").

    The manifest store inside is an empty one: it is there to be seen, not to be believed.
    """
    store = box(b"jumb", box(b"jumd", C2PA_STORE, b"\x03", b"c2pa\0"))
    return box(b"uuid", C2PA_BOX, u32(0), b"manifest\0", bytes(8), store)


Track = Sequence[Sequence[bytes]]


def moov(film: Pictures, sound: Sound, seconds: int, tracks: Sequence[Track], places: Sequence[int]) -> bytes:
    """The index: two tracks, their chunks in turn at `places`."""
    shots, tones = tracks
    return box(
        b"moov",
        boxes.movie_header(seconds * 1000),
        film_track(film, seconds, shots, places[::2]),
        sound_track(sound, seconds, tones, places[1::2]),
    )


def film_track(film: Pictures, seconds: int, chunks: Track, places: Sequence[int]) -> bytes:
    """The track of pictures."""
    group = FRAMES_PER_SECOND * SECONDS_PER_KEY_PICTURE
    keys = [u32(at + 1) for at in range(0, seconds * FRAMES_PER_SECOND, group)]
    sizes = [u32(len(sample)) for chunk in chunks for sample in chunk]
    index = sample_table(
        boxes.h264_entry(film.width, film.height, film.record),
        TICKS_PER_FRAME,
        [table(b"stss", keys), full(b"stsz", u32(0, len(sizes)), *sizes)],
        chunks,
        places,
    )
    return box(
        b"trak",
        boxes.track_header(1, seconds * 1000, width=film.width, height=film.height, volume=0),
        box(
            b"mdia",
            boxes.media_header(FRAMES_PER_SECOND * TICKS_PER_FRAME, len(sizes) * TICKS_PER_FRAME),
            boxes.handler(b"vide", b"VideoHandler"),
            box(b"minf", full(b"vmhd", bytes(8), flags=1), boxes.same_file(), index),
        ),
    )


def sound_track(sound: Sound, seconds: int, chunks: Track, places: Sequence[int]) -> bytes:
    """The track of sound; its last frame may reach past the film, and the edit cuts it there."""
    count = sum(map(len, chunks))
    index = sample_table(
        boxes.aac_entry(SOUND_RATE, sound.config),
        SOUND_FRAME,
        [full(b"stsz", u32(len(sound.frame), count))],
        chunks,
        places,
    )
    return box(
        b"trak",
        boxes.track_header(2, seconds * 1000, width=0, height=0, volume=0x0100),
        boxes.edit(seconds * 1000),
        box(
            b"mdia",
            boxes.media_header(SOUND_RATE, count * SOUND_FRAME),
            boxes.handler(b"soun", b"SoundHandler"),
            box(b"minf", full(b"smhd", bytes(4)), boxes.same_file(), index),
        ),
    )


def sample_table(entry: bytes, ticks: int, own: Sequence[bytes], chunks: Track, places: Sequence[int]) -> bytes:
    """`stbl`: how long, how large and where the samples are."""
    counts = [len(chunk) for chunk in chunks]
    runs = [
        u32(number, samples, 1)
        for number, samples in enumerate(counts, 1)
        if number == 1 or samples != counts[number - 2]
    ]
    return box(
        b"stbl",
        table(b"stsd", [entry]),
        table(b"stts", [u32(sum(counts), ticks)]),
        *own,
        table(b"stsc", runs),
        table(b"stco", [u32(place) for place in places]),
    )


@cache
def resource() -> tuple[dict[str, Pictures], Sound]:
    """The encoded parts, as `hack/generate_clip.py` wrote them."""
    text = importlib.resources.files(__package__).joinpath("pictures.json").read_text("ascii")
    content = json.loads(text)
    pictures = {size: picture_set(size, part) for size, part in content["pictures"].items()}
    sound = content["sound"]
    return pictures, Sound(config=data(sound["config"]), frame=data(sound["frame"]))


def picture_set(size: str, part: dict[str, list[str]]) -> Pictures:
    """The pictures of one size from the resource."""
    width, _, height = size.partition("x")
    following = tuple(data(lines) for lines in part["following"])
    return Pictures(
        width=int(width), height=int(height), record=data(part["avcC"]), first=data(part["first"]), following=following
    )


def data(lines: Sequence[str]) -> bytes:
    """Base64 in lines."""
    return base64.b64decode("".join(lines))
