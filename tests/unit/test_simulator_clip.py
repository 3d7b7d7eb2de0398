"""The clips are real: a real decoder reads every frame of every size and length."""

import hashlib
import io
import tracemalloc
from collections.abc import Sequence

import av
import av.container
import pytest

from videogen_simulator.clip import C2PA_BOX, FRAMES_PER_SECOND, Clip, clip
from videogen_simulator.rules import LENGTHS, SIZES

TIERS_AND_LENGTHS = [
    (size, seconds) for size, (tier, _) in SIZES.items() for seconds in (LENGTHS if tier == "720p" else (8,))
]


def whole(made: Clip) -> bytes:
    return b"".join(made.chunks())


def top_boxes(content: bytes) -> list[tuple[bytes, int]]:
    found, at = [], 0
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        found.append((content[at + 4 : at + 8], length))
        at += length
    assert at == len(content)
    return found


def opened(content: bytes) -> av.container.InputContainer:
    return av.open(io.BytesIO(content), mode="r")


def frames(content: bytes) -> Sequence[av.VideoFrame]:
    with opened(content) as file:
        return list(file.decode(file.streams.video[0]))


@pytest.mark.parametrize(("size", "seconds"), TIERS_AND_LENGTHS)
def test_every_frame_decodes_in_the_requested_pixels(size: str, seconds: int) -> None:
    decoded = 0
    with opened(whole(clip("task_a", size, seconds))) as file:
        for frame in file.decode(file.streams.video[0]):
            assert f"{frame.width}x{frame.height}" == size
            assert not frame.is_corrupt
            decoded += 1
    assert decoded == FRAMES_PER_SECOND * seconds


@pytest.mark.parametrize(("size", "seconds"), TIERS_AND_LENGTHS)
def test_the_sound_is_as_long_as_the_film_within_one_frame(size: str, seconds: int) -> None:
    with opened(whole(clip("task_a", size, seconds))) as file:
        sound = file.streams.audio[0]
        samples = sum(frame.samples for frame in file.decode(sound))
        assert abs(samples / 48_000 - seconds) <= 1024 / 48_000
        assert sound.codec_context.name == "aac"


@pytest.mark.parametrize(("size", "seconds"), TIERS_AND_LENGTHS)
def test_the_container_says_the_requested_length(size: str, seconds: int) -> None:
    with opened(whole(clip("task_a", size, seconds))) as file:
        assert file.duration == seconds * 1_000_000


def test_the_picture_stays_as_it_was() -> None:
    """The small pictures that follow say nothing but "as before"."""
    shown = frames(whole(clip("task_a", "1280x720", 4)))
    first = [bytes(plane) for plane in shown[0].planes]
    assert all([bytes(plane) for plane in frame.planes] == first for frame in shown[1:])
    assert len(set(first[0])) > 1


def test_a_player_can_start_at_every_second_second() -> None:
    with opened(whole(clip("task_a", "720x1280", 8))) as file:
        keys = [packet.pts for packet in file.demux(file.streams.video[0]) if packet.is_keyframe]
    assert keys == [512 * 48 * n for n in range(4)]


def test_the_same_task_gives_the_same_bytes_and_another_gives_others() -> None:
    first, again, other = (whole(clip(name, "1280x720", 4, total=50_000)) for name in ("a", "a", "b"))
    assert first == again
    assert hashlib.sha256(first).digest() != hashlib.sha256(other).digest()


def test_the_boxes_cover_the_bytes_in_the_order_for_streaming() -> None:
    assert [name for name, _ in top_boxes(whole(clip("a", "1280x720", 4)))] == [b"ftyp", b"free", b"moov", b"mdat"]


@pytest.mark.parametrize("total", [4_000_000, 7_001, 262_144 * 2 + 7_000])
def test_padding_makes_the_file_exactly_as_large_as_asked(total: int) -> None:
    made = clip("task_a", "1280x720", 4, total=total)
    content = whole(made)
    assert len(content) == made.size == total
    assert len(frames(content)) == FRAMES_PER_SECOND * 4


def test_a_clip_larger_than_the_padding_is_left_alone() -> None:
    assert clip("a", "1280x720", 4, total=10).size == clip("a", "1280x720", 4).size


def test_four_hundred_megabytes_are_not_held_in_memory() -> None:
    tracemalloc.start()
    made = clip("task_a", "3840x2160", 8, total=400_000_000)
    assert sum(map(len, made.chunks())) == 400_000_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_c2pa_box_is_there_on_request_only() -> None:
    plain, marked = whole(clip("a", "1280x720", 4)), whole(clip("a", "1280x720", 4, c2pa=True))
    assert C2PA_BOX not in plain
    assert b"uuid" + C2PA_BOX in marked
    assert [name for name, _ in top_boxes(marked)].index(b"uuid") == 2
    assert len(frames(marked)) == FRAMES_PER_SECOND * 4


@pytest.mark.parametrize("seconds", [1, 3, 5, 7])
def test_other_lengths_decode_too(seconds: int) -> None:
    """A clip of the wrong length is a scenario."""
    assert len(frames(whole(clip("a", "720x1280", seconds)))) == FRAMES_PER_SECOND * seconds
