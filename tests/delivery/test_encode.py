"""Files: every format decodes to the master, equal work gives equal bytes, loop points are where players
look."""

import hashlib
import io
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from encoders import HAS_M4A
from mutagen import ogg
from mutagen.oggopus import OggOpus
from waiting import wait_until_next_second

from pipeline.audio import Clip, Loop, decoders, read, read_chunks
from pipeline.audio.containers import ogg_pages
from pipeline.delivery import Content, codecs, encode
from pipeline.delivery.encode import at_rate
from pipeline.delivery.ogg import with_serial
from pipeline.errors import MachineError, UsageError
from pipeline.formats import FORMATS


def clip(rate: int = 48000, seconds: float = 1.5, channels: int = 2) -> Clip:
    random = np.random.default_rng(3)
    times = np.arange(round(rate * seconds)) / rate
    tone = 0.4 * np.sin(2 * np.pi * 440 * times) + 0.02 * random.standard_normal((channels, len(times)))
    return Clip(tone.astype(np.float32), rate)


BY_LIBSNDFILE = [name for name, row in FORMATS.items() if not row.needs_ffmpeg]


@pytest.mark.parametrize("rate", [22050, 32000, 44100, 48000, 96000])
@pytest.mark.parametrize("audio_format", BY_LIBSNDFILE)
def test_every_format_decodes_to_the_sound_it_was_given(audio_format: str, rate: int) -> None:
    master = clip(rate)
    back = read(encode(master, audio_format, Content("24")))
    assert back.channels == 2
    assert abs(back.seconds - master.seconds) < 0.002
    assert np.sqrt(np.mean(back.samples**2)) == pytest.approx(np.sqrt(np.mean(master.samples**2)), rel=0.05)
    if back.rate == rate:
        assert np.corrcoef(back.samples[0], master.samples[0, : back.length])[0, 1] > 0.99


@pytest.mark.parametrize(
    ("audio_format", "depth", "step"),
    [
        ("wav", "24", 2**-23),
        ("wav", "float", 1e-9),
        ("flac", "24", 2**-23),
        ("flac", "16", 2**-14),
        ("flac", "float", 2**-23),
    ],
)
def test_lossless_formats_hold_every_sample(audio_format: str, depth: str, step: float) -> None:
    master = clip()
    assert np.abs(read(encode(master, audio_format, Content(depth))).samples - master.samples).max() < step


SCRIPT = """
import hashlib
import numpy as np
from pipeline.audio import Clip, Loop
from pipeline.delivery import Content, encode
random = np.random.default_rng(3)
sound = Clip((0.2 * random.standard_normal((2, 60_000))).astype(np.float32), 48000)
for name in ["wav", "flac", "ogg", "opus", "mp3"]:
    for depth in ["16", "24"]:
        print(hashlib.sha256(encode(sound, name, Content(depth, Loop(0, 60_000)))).hexdigest())
"""


def test_another_process_a_second_later_gives_the_same_bytes() -> None:
    answers = []
    for zone in ("UTC", "Asia/Tokyo"):
        environment = {**os.environ, "TZ": zone}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, check=True, env=environment
        )
        answers.append(done.stdout.split())
        wait_until_next_second()
    assert len(answers[0]) == 10
    assert answers[0] == answers[1]


@pytest.mark.parametrize("audio_format", ["ogg", "opus"])
def test_ogg_serials_come_from_the_sound_and_checksums_are_right(audio_format: str) -> None:
    one, other = encode(clip(), audio_format), encode(clip(seconds=1.4), audio_format)
    assert one[14:18] != other[14:18]
    place = 0
    for page in ogg_pages(one):
        assert one[place + 14 : place + 18] == one[14:18]
        assert page.write() == one[place : place + page.size]
        place += page.size
    assert place == len(one)


def test_the_checksum_is_the_one_that_libogg_writes() -> None:
    out = io.BytesIO()
    soundfile.write(out, clip().samples.T, 48000, format="OGG", subtype="VORBIS")
    data = out.getvalue()
    assert with_serial(data, struct.unpack_from("<I", data, 14)[0]) == data


def test_what_is_not_ogg_is_refused() -> None:
    with pytest.raises(ogg.error, match="RIFF"):
        list(ogg_pages(b"RIFF" + bytes(50)))


def test_wav_carries_the_loop_in_smpl_with_an_inclusive_end() -> None:
    data = encode(clip(), "wav", Content("16", loop=Loop(100, 31000)))
    (smpl,) = [chunk.data for chunk in read_chunks(data) if chunk.id == "smpl"]
    assert struct.unpack_from("<9I", smpl)[7] == 1
    assert struct.unpack_from("<6I", smpl, 36) == (1, 0, 100, 30999, 0, 0)
    assert [chunk.id for chunk in read_chunks(encode(clip(), "wav", Content("16")))] == ["fmt ", "data"]


@pytest.mark.parametrize("audio_format", ["ogg", "flac", "opus"])
def test_comments_carry_the_loop_first(audio_format: str) -> None:
    data = encode(clip(), audio_format, Content(loop=Loop(100, 31000)))
    tags = list(mutagen.File(io.BytesIO(data)).tags)
    assert tags[:2] == [("LOOPSTART", "100"), ("LOOPLENGTH", "30900")]
    assert soundfile.info(io.BytesIO(data)).frames == clip().length


@pytest.mark.parametrize("length", [300, 900, 47_901, 48_000, 48_648])
@pytest.mark.parametrize("audio_format", ["ogg", "opus", "mp3"])
def test_a_lossy_file_holds_its_sound_to_the_last_sample(audio_format: str, length: int) -> None:
    wave = 0.1 * np.sin(2 * np.pi * 440 * np.arange(length) / 48_000)
    back = read(encode(Clip(wave[None].astype(np.float32), 48_000), audio_format))
    assert back.length == length
    assert np.abs(back.samples[0] - wave)[-300:].max() < 0.02


@pytest.mark.parametrize("hertz", [40, 100])
@pytest.mark.parametrize("start", [0, 9_600])
def test_an_opus_loop_wraps_without_a_step(start: int, hertz: int) -> None:
    wave = 0.1 * np.sin(2 * np.pi * hertz * np.arange(48_000) / 48_000)
    loop = Loop(start, 48_000)
    back = read(encode(Clip(wave[None].astype(np.float32), 48_000), "opus", Content(loop=loop))).samples[0]
    assert len(back) == 48_000
    assert np.corrcoef(back, wave)[0, 1] > 0.99
    steps = np.abs(np.diff(np.concatenate([back[-300:], back[start : start + 300]])))
    assert steps.max() < 0.001 + 0.1 * 2 * np.pi * hertz / 48_000


def test_opus_is_at_the_rate_at_which_players_decode_it_and_so_are_its_loop_points() -> None:
    for rate in (8_000, 16_000, 24_000):
        master = clip(rate, 1.0)
        data = encode(master, "opus", Content(loop=Loop(rate // 4, master.length)))
        tags = OggOpus(io.BytesIO(data)).tags
        assert (read(data).rate, read(data).length) == (48_000, 48_000)
        assert (tags["loopstart"], tags["looplength"]) == (["12000"], ["36000"])


def opus_file(length: int, loop: Loop | None, tmp_path: Path) -> tuple[Path, Clip]:
    """An Opus file of a tone of ``length`` samples at 48 kHz, and what libsndfile decodes it to."""
    wave = 0.1 * np.sin(2 * np.pi * 440 * np.arange(length) / 48_000)
    path = tmp_path / "sound.opus"
    path.write_bytes(encode(Clip(wave[None].astype(np.float32), 48_000), "opus", Content(loop=loop)))
    return path, read(path)


SHORT = [1, 100, 480, 648, 649, 960, 1608, 1609, 12_000, 20_000, 48_000]
KINDS = ["once", "loop", "intro"]


def points(kind: str, length: int) -> Loop | None:
    return {"once": None, "loop": Loop(0, length), "intro": Loop(length // 3, length)}[kind]


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", SHORT)
def test_ffmpeg_decodes_an_opus_file_to_the_same_samples_as_libsndfile(
    length: int, kind: str, tmp_path: Path
) -> None:
    path, expected = opus_file(length, points(kind, length), tmp_path)
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-"]
    heard = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<f4")
    assert (len(heard), expected.length) == (length, length)
    assert np.abs(heard - expected.samples[0]).max() < 1e-3


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
@pytest.mark.parametrize("rate", [8_000, 11_025, 48_000])
@pytest.mark.parametrize("length", [1, 331, 1_440, 4_212, 8_049, 60_000])
def test_ffmpeg_decodes_an_ogg_file_to_the_same_samples_as_libsndfile(
    length: int, rate: int, tmp_path: Path
) -> None:
    noise = 0.1 * np.random.default_rng(6).standard_normal((2, length))
    path = tmp_path / "sound.ogg"
    path.write_bytes(encode(Clip(noise.astype(np.float32), rate), "ogg", Content(loop=Loop(0, length))))
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-"]
    heard = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<f4")
    expected = read(path).samples
    assert (len(heard), expected.shape[1]) == (2 * length, length)
    assert np.abs(heard.reshape(-1, 2).T - expected).max() < 1e-3


@pytest.mark.skipif(not shutil.which("opusinfo"), reason="needs opusinfo (Debian package opus-tools)")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", SHORT)
def test_opusinfo_warns_of_nothing(length: int, kind: str, tmp_path: Path) -> None:
    path, _ = opus_file(length, points(kind, length), tmp_path)
    done = subprocess.run(["opusinfo", str(path)], capture_output=True, text=True, check=True)
    assert "WARNING" not in (done.stdout + done.stderr).upper()


@pytest.mark.parametrize("channels", [1, 2, 6, 8])
def test_an_opus_page_holds_no_more_segments_than_it_can_list(channels: int) -> None:
    noise = 0.3 * np.random.default_rng(4).standard_normal((channels, 60_000))
    data = encode(Clip(noise.astype(np.float32), 48_000), "opus")
    assert sum(page.size for page in ogg_pages(data)) == len(data)
    assert OggOpus(io.BytesIO(data)).info.length == pytest.approx(1.25)
    assert (read(data).length, read(data).channels) == (60_000, channels)


def test_opus_moves_loop_points_to_its_own_rate() -> None:
    master = clip(44100, 1.0)
    tags = OggOpus(io.BytesIO(encode(master, "opus", Content(loop=Loop(0, master.length))))).tags
    assert tags["loopstart"] == ["0"]
    assert tags["looplength"] == ["48000"]


def test_an_unknown_format_is_named_with_those_that_exist() -> None:
    with pytest.raises(UsageError, match=r"'aiff'.*wav, flac, ogg, opus, mp3, m4a"):
        encode(clip(), "aiff")


def test_m4a_without_its_extra_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setattr(codecs, "AudioSegment", None)
    with pytest.raises(MachineError, match=r"cuesmith\[m4a\]"):
        encode(clip(), "m4a")


def test_m4a_without_ffmpeg_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setattr(codecs, "AudioSegment", object())
    monkeypatch.setattr(decoders, "imageio_ffmpeg", None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(MachineError, match="ffmpeg"):
        encode(clip(), "m4a")


def test_m4a_holds_the_sound_and_equal_work_gives_equal_bytes() -> None:
    if not HAS_M4A:
        pytest.skip("the m4a extra is not installed")
    first = encode(clip(), "m4a")
    wait_until_next_second()
    assert hashlib.sha256(encode(clip(), "m4a")).digest() == hashlib.sha256(first).digest()
    assert mutagen.File(io.BytesIO(first)).info.length == pytest.approx(1.5, abs=0.1)


def test_an_intro_s_loop_points_stand_where_players_look_at_every_rate() -> None:
    times = np.arange(3 * 32_000) / 32_000
    master = Clip((0.3 * np.sin(2 * np.pi * 200 * times))[None].astype(np.float32), 32_000)
    loop = Loop(20_000, master.length)
    chunks = {chunk.id: chunk.data for chunk in read_chunks(encode(master, "wav", Content(loop=loop)))}
    assert struct.unpack_from("<2I", chunks["smpl"], 44) == (20_000, master.length - 1)
    assert struct.unpack_from("<I", chunks["cue "], 24)[0] == 20_000
    for audio_format, rate in (("ogg", 32_000), ("flac", 32_000), ("opus", 48_000)):
        file = mutagen.File(io.BytesIO(encode(master, audio_format, Content(loop=loop))))
        start, length = int(file.tags["LOOPSTART"][0]), int(file.tags["LOOPLENGTH"][0])
        assert (start, length) == (
            round(20_000 * rate / 32_000),
            round((master.length - 20_000) * rate / 32_000),
        )


def test_rate_conversion_lets_the_end_of_a_loop_hear_its_start() -> None:
    start, length = 1_600, 16_000
    times = np.arange(start + length) / 32_000
    master = Clip((0.5 * np.cos(2 * np.pi * 100 * times))[None].astype(np.float32), 32_000)
    moved, (first, end) = at_rate(master, Loop(start, master.length), 48_000)
    assert (moved.rate, moved.length, first) == (48_000, end, 2_400)
    seam = np.concatenate([moved.samples[0, -400:], moved.samples[0, first : first + 400]])
    assert np.abs(np.diff(seam)).max() < 1.5 * 0.5 * 2 * np.pi * 100 / 48_000
