"""Encode the pictures and the silent sound that the simulator muxes its clips from.

Run by hand when a picture changes; needs PyAV (development only) and writes
`operator/videogen_simulator/pictures.json`. Per pixel size: one IDR picture and the 16
pictures that follow it, each of which says "as before". They suffice for any length: with
one reference picture and no B pictures x264 writes a frame_num of 4 bits and picture order
count type 2, so the 17th following picture is the first again. (Only the last byte may differ: x264
hides a bit of its own picture count there, behind the data.)
"""

import base64
import fractions
import json
import pathlib
import sys
from collections.abc import Iterator

import av
import av.codec

SIZES = ((1280, 720), (720, 1280), (1920, 1080), (1080, 1920), (3840, 2160), (2160, 3840))
FRAMES_PER_SECOND = 24
FOLLOWING_PICTURES = 16
SOUND_RATE = 48_000
BARS = ((180, 128, 128), (162, 44, 142), (131, 156, 44), (112, 72, 58), (84, 184, 198), (65, 100, 212))
TARGET = pathlib.Path(__file__).parent.parent / "operator" / "videogen_simulator" / "pictures.json"
X264 = (
    "keyint=infinite:scenecut=0:bframes=0:ref=1:weightp=0:mbtree=0:aq-mode=0:rc-lookahead=0:"
    "no-deblock=1:threads=1:sliced-threads=0:qp=30:cabac=1:8x8dct=0:nal-hrd=none:aud=0"
)
SPS, PPS, SEI = 7, 8, 6


def main() -> None:
    """Write the text resource and say how large each part became."""
    parts = {f"{width}x{height}": picture_set(width, height) for width, height in SIZES}
    document = {"pictures": parts, "sound": silence()}
    TARGET.write_text(json.dumps(document, indent=1) + "\n")
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes, {', '.join(parts)}", file=sys.stderr)


def picture_set(width: int, height: int) -> dict[str, list[str] | list[list[str]]]:
    """The decoder's record (avcC) and the samples of one pixel size, Base64."""
    packets = list(encoded(width, height, FOLLOWING_PICTURES * 2 + 1))
    parameter_sets = [unit for unit in units(packets[0]) if unit[0] & 0x1F in {SPS, PPS}]
    samples = [sample(packet) for packet in packets]
    following = samples[1 : 1 + FOLLOWING_PICTURES]
    if [part[:-1] for part in samples[1 + FOLLOWING_PICTURES :]] != [part[:-1] for part in following]:
        raise SystemExit(f"{width}x{height}: the pictures do not repeat after {FOLLOWING_PICTURES}")
    return {
        "avcC": text(decoder_record(parameter_sets[0], parameter_sets[1])),
        "first": text(samples[0]),
        "following": [text(part) for part in following],
    }


def encoded(width: int, height: int, count: int) -> Iterator[bytes]:
    """`count` times the same picture as H.264 in Annex B form, one access unit each."""
    codec = av.codec.CodecContext.create("libx264", "w")
    if not isinstance(codec, av.VideoCodecContext):
        raise SystemExit("libx264 is not a video encoder here")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.time_base = fractions.Fraction(1, FRAMES_PER_SECOND)
    codec.framerate = fractions.Fraction(FRAMES_PER_SECOND)
    codec.options = {"preset": "veryslow", "profile": "main", "x264-params": X264}
    frame = picture(width, height)
    for number in range(count):
        frame.pts = number
        yield from (bytes(packet) for packet in codec.encode(frame))
    yield from (bytes(packet) for packet in codec.encode(None))


def picture(width: int, height: int) -> av.VideoFrame:
    """Colour bars with a dark triangle, all edges on 16-pixel blocks so that it encodes small."""
    frame = av.VideoFrame(width, height, "yuv420p")
    for index, plane in enumerate(frame.planes):
        scale = 1 if index == 0 else 2
        rows = []
        for y in range(plane.height):
            row = bytes(colour(x * scale, y * scale, width, height)[index] for x in range(0, plane.width, 8))
            spread = b"".join(bytes([value]) * 8 for value in row)[: plane.width]
            rows.append(spread.ljust(plane.line_size, b"\0"))
        plane.update(b"".join(rows))
    return frame


def colour(x: int, y: int, width: int, height: int) -> tuple[int, int, int]:
    """YUV of the block that holds (x, y)."""
    x, y = x // 16 * 16, y // 16 * 16
    reach = min(width, height) // 4
    depth = x - (width // 2 - reach)
    if 0 <= depth < 2 * reach and abs(y - height // 2) < reach - depth // 2:
        return (30, 128, 128)
    return BARS[min(x * len(BARS) // width, len(BARS) - 1)]


def units(packet: bytes) -> list[bytes]:
    """The NAL units of an access unit in Annex B form."""
    return [unit.rstrip(b"\0") for unit in packet.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit]


def sample(packet: bytes) -> bytes:
    """The access unit as MP4 stores it: length before each unit, parameter sets and remarks left out."""
    kept = [unit for unit in units(packet) if unit[0] & 0x1F not in {SPS, PPS, SEI}]
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in kept)


def decoder_record(sps: bytes, pps: bytes) -> bytes:
    """AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1) with 4-byte lengths."""
    head = bytes([1, sps[1], sps[2], sps[3], 0xFF, 0xE1])
    return head + len(sps).to_bytes(2, "big") + sps + b"\1" + len(pps).to_bytes(2, "big") + pps


def silence() -> dict[str, list[str]]:
    """AudioSpecificConfig and one frame (1,024 samples) of silent stereo AAC-LC."""
    codec = av.codec.CodecContext.create("aac", "w")
    if not isinstance(codec, av.AudioCodecContext):
        raise SystemExit("aac is not an audio encoder here")
    codec.sample_rate, codec.layout, codec.format = SOUND_RATE, "stereo", "fltp"
    codec.time_base = fractions.Fraction(1, SOUND_RATE)
    packets: list[bytes] = []
    for number in range(8):
        frame = av.AudioFrame("fltp", "stereo", 1024)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.pts = SOUND_RATE, number * 1024
        packets += [bytes(packet) for packet in codec.encode(frame)]
    if packets[-1] != packets[-2] or codec.extradata is None:
        raise SystemExit("the silent frames differ")
    return {"config": text(codec.extradata[:2]), "frame": text(packets[-1])}


def text(data: bytes) -> list[str]:
    """Base64 in lines that a reviewer can scroll past."""
    whole = base64.b64encode(data).decode()
    return [whole[at : at + 100] for at in range(0, len(whole), 100)]


if __name__ == "__main__":
    main()
