"""The box reader on real files, on files that were cut, and on hostile bytes."""

import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.clips import box, full, tiny_mp4
from videogen_operator.mp4 import Clip, NotAVideo, inspect

RATE = 24


def look(data: bytes) -> Clip | NotAVideo:
    return inspect(io.BytesIO(data), len(data))


def facts(data: bytes) -> Clip:
    found = look(data)
    assert isinstance(found, Clip), found
    return found


def encoded(path: Path, *, seconds: int = 1, audio: bool = True, flags: str = "", codec: str = "libx264") -> bytes:
    """A film of a real encoder, 320 x 180."""
    with av.open(str(path), "w", format="mp4", options={"movflags": flags} if flags else {}) as film:
        pictures = film.add_stream(codec, rate=RATE, options={"preset": "ultrafast"})
        assert isinstance(pictures, av.VideoStream)
        pictures.width, pictures.height, pictures.pix_fmt = 320, 180, "yuv420p"
        sound = film.add_stream("aac", rate=48_000) if audio else None
        for number in range(seconds * RATE):
            picture = av.VideoFrame(320, 180, "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, RATE)
            for plane in picture.planes:
                plane.update(bytes([number * 7 % 255]) * plane.buffer_size)
            film.mux(pictures.encode(picture))
        film.mux(pictures.encode(None))
        if isinstance(sound, av.AudioStream):
            for number in range(seconds * 48_000 // 1024):
                silence = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
                silence.sample_rate, silence.pts = 48_000, number * 1024
                for channel in silence.planes:
                    channel.update(bytes(channel.buffer_size))
                film.mux(sound.encode(silence))
            film.mux(sound.encode(None))
    return path.read_bytes()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return encoded(tmp_path_factory.mktemp("film") / "film.mp4")


@pytest.fixture(scope="module")
def fast_start(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Moov before mdat: what can be shown while it loads, and what hides a cut best."""
    return encoded(tmp_path_factory.mktemp("film") / "film.mp4", flags="faststart")


# ---------------------------------------------------------------- real files


def test_a_real_film_is_measured(film: bytes) -> None:
    assert facts(film) == Clip(
        duration_millis=1000,
        width=320,
        height=180,
        has_audio=True,
        content_credentials=False,
        frames=RATE,
        major_brand="isom",
    )


def test_a_film_that_starts_fast_is_measured_alike(film: bytes, fast_start: bytes) -> None:
    assert facts(fast_start) == facts(film)


def test_a_silent_film_has_no_audio(tmp_path: Path) -> None:
    assert not facts(encoded(tmp_path / "film.mp4", audio=False)).has_audio


def test_hevc_is_measured(tmp_path: Path) -> None:
    found = facts(encoded(tmp_path / "film.mp4", audio=False, codec="libx265"))
    assert (found.width, found.height, found.frames) == (320, 180, RATE)


def test_a_fragmented_film_counts_its_frames_and_leaves_its_length_out(tmp_path: Path) -> None:
    found = facts(encoded(tmp_path / "film.mp4", flags="frag_keyframe+empty_moov"))
    assert (found.duration_millis, found.frames, found.width) == (None, RATE, 320)


def test_credentials_are_seen_by_their_box() -> None:
    assert facts(tiny_mp4(c2pa=True)).content_credentials
    assert not facts(tiny_mp4()).content_credentials


def test_a_picture_that_is_shown_turned_has_its_sides_exchanged() -> None:
    upright = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    turned = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    found = facts(tiny_mp4(1280, 720).replace(upright, turned))
    assert (found.width, found.height) == (720, 1280)


def test_the_length_of_a_fragmented_film_comes_from_its_mehd() -> None:
    data = tiny_mp4(seconds=0)
    moov = data.index(b"moov") - 4
    extends = box(b"mvex", full(b"mehd", struct.pack(">I", 8000)))
    whole = data[:moov] + box(b"moov", data[moov + 8 :], extends)
    assert facts(whole).duration_millis == 8000


@pytest.mark.parametrize("version", [0, 1])
def test_an_unknown_length_is_left_out(version: int) -> None:
    data = tiny_mp4()
    at = data.index(b"mvhd") + 4
    ones = b"\xff" * (8 if version else 4)
    fields = struct.pack(">IQQI" if version else ">IIII", version << 24, 0, 0, 1000) + ones
    assert facts(data[:at] + fields + data[at + len(fields) :]).duration_millis is None


# ---------------------------------------------------------------- what is no whole film


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b'{"error":{"message":"not completed"}}',
        b"<!doctype html><title>502</title>",
        b"\0" * 64,
        box(b"ftyp", b"isom"),
        box(b"ftyp", b"isom") + box(b"moov"),
        box(b"ftyp", b"isom") + box(b"mdat", b"x"),
        box(b"ftyp", b"isom") + box(b"moov") + box(b"mdat", b"x"),
        box(b"moov") + box(b"ftyp", b"isom") + box(b"mdat", b"x"),
        tiny_mp4(0, 0),
        tiny_mp4().replace(b"mdat", b"free"),
        tiny_mp4().replace(b"vide", b"text"),
        tiny_mp4().replace(b"mvhd", b"xxxx"),
        tiny_mp4() + b"\0",
        tiny_mp4() + b"<html>",
    ],
)
def test_other_bytes_are_no_video(data: bytes) -> None:
    found = look(data)
    assert isinstance(found, NotAVideo)
    assert found.reason


def test_a_film_that_was_cut_anywhere_is_no_video(film: bytes) -> None:
    assert [n for n in range(len(film)) if not isinstance(look(film[:n]), NotAVideo)] == []


def test_a_fast_film_that_was_cut_anywhere_is_no_video(fast_start: bytes) -> None:
    assert [n for n in range(len(fast_start)) if not isinstance(look(fast_start[:n]), NotAVideo)] == []


@pytest.mark.parametrize("missing", [1, 10, 1000])
def test_a_cut_is_seen_where_the_media_reach_to_the_end_of_the_file(fast_start: bytes, missing: int) -> None:
    at = fast_start.index(b"mdat")
    endless = fast_start[: at - 4] + b"\0\0\0\0" + fast_start[at:]
    assert isinstance(look(endless), Clip)
    assert isinstance(look(endless[:-missing]), NotAVideo)


# ---------------------------------------------------------------- hostile bytes


class Counting(io.BytesIO):
    """Counts what is read."""

    total = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.total += len(data)
        return data


def test_a_large_film_is_not_read_but_sought() -> None:
    data = tiny_mp4(padding=40_000_000)
    file = Counting(data)
    assert isinstance(inspect(file, len(data)), Clip)
    assert file.total < 20_000


@pytest.mark.parametrize(
    "data",
    [
        box(b"ftyp", b"isom") + box(b"free") * 400_000,
        box(b"ftyp", b"isom") + box(b"mdat", b"x") + box(b"moov", *[box(b"trak", box(b"mdia"))] * 100_000),
        box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"free", 0) * 10,
        box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"free", 2**64 - 1),
        tiny_mp4().replace(struct.pack(">2I", 0, 192), struct.pack(">2I", 0, 2**32 - 1)),
        tiny_mp4().replace(b"stco\0\0\0\0\0\0\0\1", b"stco\0\0\0\0\xff\xff\xff\xff"),
    ],
    ids=["many boxes", "many tracks", "empty long boxes", "a length beyond all", "many samples", "many chunks"],
)
def test_a_file_that_asks_for_too_much_is_refused_after_little_reading(data: bytes) -> None:
    file = Counting(data)
    assert isinstance(inspect(file, len(data)), NotAVideo)
    assert file.total < 4_000_000


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    assert isinstance(look(data), NotAVideo)


@given(places=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=8))
def test_no_damage_makes_it_raise(places: list[tuple[int, int]]) -> None:
    data = bytearray(tiny_mp4(c2pa=True))
    for at, value in places:
        data[at % len(data)] = value
    assert isinstance(look(bytes(data)), Clip | NotAVideo)


@given(size=st.integers(0, 10_000))
def test_a_size_that_is_not_the_files_does_not_make_it_raise(size: int) -> None:
    assert isinstance(inspect(io.BytesIO(tiny_mp4()), size), Clip | NotAVideo)
