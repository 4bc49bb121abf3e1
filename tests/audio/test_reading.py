"""Reading sound files of any program: complete, streamed, cut, absurd, and the errors about them."""

import io
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from damaged_sounds import RATE, REPORTED, damaged_files, noise, whole_files

from pipeline.audio import Clip, read, read_sound, wav_bytes
from pipeline.errors import CuesmithError, UsageError

FFMPEG = shutil.which("ffmpeg")
BY_FFMPEG = pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed")
FORMATS = [
    *("wav", "float.wav", "adpcm.wav", "w64", "rf64", "flac", "ogg", "opus", "mp3", "aiff", "caf", "au"),
    *(pytest.param(name, marks=BY_FFMPEG) for name in ("m4a", "mov", "mka", "webm")),
]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return whole_files(tmp_path_factory.mktemp("whole"), FFMPEG)


def wav(subtype: str = "PCM_16", channels: int = 2) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, noise(channels), RATE, format="WAV", subtype=subtype)
    return out.getvalue()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_whole_file_has_no_problem_whatever_it_is_called(suffix: str, whole, tmp_path: Path) -> None:
    path = tmp_path / "sound.any"
    path.write_bytes(whole[suffix])
    sound = read_sound(path)
    assert sound.problem is None
    assert sound.clip.channels == 2
    assert sound.clip.seconds == pytest.approx(1.5, abs=0.06)
    assert read_sound(whole[suffix]).clip.length == sound.clip.length


@pytest.mark.parametrize("part", [0.4, 0.75, 0.97])
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_cut_file_is_said_to_be_incomplete(suffix: str, part: float, whole) -> None:
    data = whole[suffix][: int(part * len(whole[suffix]))]
    with pytest.raises(UsageError, match=r"incomplete or damaged|cannot be read as audio"):
        read(data)


@pytest.mark.parametrize("damage", ["cut", "hole"])
def test_a_damaged_mp3_is_said_in_the_error_alone(damage: str, whole, capfd) -> None:
    data = whole["mp3"]
    sound = read_sound(
        data[: len(data) // 2] if damage == "cut" else data[:9000] + bytes(3000) + data[12000:]
    )
    assert sound.problem is not None
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFDB, 0xFFFFFFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "MS_ADPCM"])
def test_a_streamed_wav_is_read_to_its_end(size: int, subtype: str) -> None:
    data = bytearray(wav(subtype))
    expected = read(bytes(data)).samples
    struct.pack_into("<I", data, data.index(b"data") + 4, size)
    struct.pack_into("<I", data, 4, size)
    sound = read_sound(bytes(data))
    assert sound.problem is None
    assert np.array_equal(sound.clip.samples, expected)


def test_a_wav_without_samples_is_empty_and_whole_even_with_chunks_behind_them() -> None:
    empty = wav_bytes(Clip(np.zeros((2, 0), np.float32), RATE), "16")
    for data in (empty, empty + b"LIST\4\0\0\0INFO"):
        sound = read_sound(data)
        assert (sound.clip.length, sound.problem) == (0, None)


@pytest.mark.parametrize("change", [-40_000, -2, 2, 40_000])
def test_a_wrong_size_is_said_and_what_is_there_is_read(change: int) -> None:
    data = bytearray(wav())
    place = data.index(b"data") + 4
    struct.pack_into("<I", data, place, struct.unpack_from("<I", data, place)[0] + change)
    sound = read_sound(bytes(data))
    assert sound.problem is not None
    assert 0 < sound.clip.length <= len(noise())


@BY_FFMPEG
@pytest.mark.parametrize("container", ["wav", "aiff", "au", "caf", "w64", "flac", "ogg"])
def test_what_ffmpeg_writes_into_a_pipe_is_read_to_its_end(container: str) -> None:
    command = [FFMPEG, "-v", "error", "-f", "wav", "-i", "pipe:0", "-f", container, "pipe:1"]
    data = subprocess.run(command, input=wav(), capture_output=True, check=True).stdout
    sound = read_sound(data)
    assert sound.problem is None
    assert sound.clip.length == len(noise())


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize(
    ("container", "endian"),
    [("WAV", "FILE"), ("WAV", "BIG"), ("WAVEX", "FILE"), ("RF64", "FILE"), ("W64", "FILE")],
)
def test_every_plain_sample_is_read_as_libsndfile_reads_it(subtype: str, container: str, endian: str) -> None:
    out = io.BytesIO()
    soundfile.write(out, noise(3, 0.1), RATE, subtype=subtype, format=container, endian=endian)
    theirs, _ = soundfile.read(io.BytesIO(out.getvalue()), dtype="float32", always_2d=True)
    assert np.array_equal(read(out.getvalue()).samples, theirs.T)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff", "rf64"])
def test_a_file_behind_an_id3_tag_keeps_its_last_samples(suffix: str, whole) -> None:
    tag = b"ID3\4\0\0\0\0\1\0" + bytes(128)
    assert np.array_equal(read(tag + whole[suffix]).samples, read(whole[suffix]).samples)


def test_bw64_is_read_as_rf64_is(whole) -> None:
    data = b"BW64" + whole["rf64"][4:]
    assert np.array_equal(read(data).samples, read(whole["rf64"]).samples)


@BY_FFMPEG
@pytest.mark.parametrize(
    ("suffix", "rate", "samples"),
    [
        ("m4a", 48_000, 96_000),
        ("m4a", 48_000, 97_776),
        ("m4a", 44_100, 48_001),
        ("m4a", 22_050, 1_000),
        ("m4b", 44_100, 89_831),
        ("mp4", 48_000, 48_001),
        ("mov", 44_100, 44_099),
    ],
)
def test_the_edit_list_of_an_m4a_gives_its_length(
    samples: int, rate: int, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"sound.{suffix}"
    source = ["-f", "f32le", "-ar", str(rate), "-ac", "1", "-i", "pipe:0", "-c:a", "aac", str(path)]
    raw = noise(1, 3.0)[:samples].astype("<f4").tobytes()
    subprocess.run([str(FFMPEG), "-v", "error", *source], input=raw, check=True)
    assert read(path).length == samples


@pytest.mark.parametrize("rate", [0, 1, 999, 768_001, 2_000_000_000, 0xFFFFFFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "MS_ADPCM"])
def test_a_rate_that_no_sound_has_is_refused(rate: int, subtype: str) -> None:
    data = bytearray(wav(subtype))
    struct.pack_into("<I", data, 24, rate)
    with pytest.raises(UsageError, match=f"a rate of {rate} Hz is out of range"):
        read_sound(bytes(data))


def test_a_pipe_a_device_a_folder_and_a_huge_file_are_refused_without_being_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "huge.wav").write_bytes(wav())
    os.truncate(tmp_path / "huge.wav", 1 << 42)
    expected = {
        "pipe": "not a regular file",
        "zero": "not a regular file",
        "folder": "a folder",
        "huge": "4 GiB",
    }
    for name, reason in expected.items():
        with pytest.raises(UsageError, match=rf"{name}\.wav.*{reason}"):
            read_sound(tmp_path / f"{name}.wav")


def test_samples_that_are_not_finite_are_read() -> None:
    data = wav_bytes(Clip(np.array([[0.0, np.nan]], np.float32), RATE), "float")
    assert np.isnan(read_sound(data).clip.samples).any()


def test_a_playlist_leads_ffmpeg_to_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "list.m4a"
    path.write_text(f"#EXTM3U\n#EXTINF:1\n{tmp_path / 'other.wav'}\n")
    with pytest.raises(UsageError, match="cannot be read as audio"):
        read_sound(path)


@BY_FFMPEG
@pytest.mark.parametrize("suffix", ["m4a", "mka"])
def test_a_message_of_ffmpeg_names_no_temporary_file_and_is_the_same_each_time(
    suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"whole.{suffix}"
    command = [FFMPEG, "-v", "error", "-f", "wav", "-i", "pipe:0", str(path)]
    subprocess.run(command, input=wav(), check=True)
    data = path.read_bytes()
    data = data[: len(data) // 2]
    said = set()
    for _ in range(2):
        try:
            said.add(read_sound(data).problem or "")
        except UsageError as error:
            said.add(str(error))
    assert len(said) == 1
    assert not re.search(r"/tmp|0x|file:", said.pop())


def check_damaged(folder: Path, count: int, seed: int) -> None:
    """Every damaged file is read or refused in words; lost samples never go unnoticed."""
    for damaged in damaged_files(folder, count, seed, FFMPEG):
        try:
            sound = read_sound(damaged.path)
        except CuesmithError:
            continue
        if damaged.damage in REPORTED:
            assert sound.problem, damaged
        if sound.problem is None:
            assert abs(sound.clip.length - damaged.length) < 3000, damaged


def test_damaged_files_are_read_or_refused_in_words(tmp_path: Path) -> None:
    check_damaged(tmp_path, 40, 3)


@pytest.mark.slow
def test_a_thousand_damaged_files_are_read_or_refused_in_words(tmp_path: Path) -> None:
    check_damaged(tmp_path, 1000, 4)


def test_an_aiff_whose_number_of_frames_is_lost_is_not_called_empty(tmp_path: Path) -> None:
    path = tmp_path / "door.aiff"
    soundfile.write(path, np.full((4800, 1), 0.1, np.float32), 48_000, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    frames = data.index(b"COMM") + 10
    data[frames : frames + 4] = bytes(4)
    problem = read_sound(bytes(data)).problem
    assert problem is not None
    assert "states 0 bytes of samples, but it has 9600" in problem


@BY_FFMPEG
@pytest.mark.parametrize("codec", ["libopus", "libvorbis"])
def test_a_webm_that_is_shorter_than_its_header_says_is_incomplete(codec: str, tmp_path: Path) -> None:
    path = tmp_path / "rain.webm"
    made = [str(FFMPEG), "-v", "error", "-f", "lavfi", "-i", "sine=440:d=2"]
    subprocess.run([*made, "-c:a", codec, str(path)], check=True)
    data = path.read_bytes()
    assert read_sound(data).problem is None
    duration = data.index(b"\x44\x89\x88") + 3
    longer = data[:duration] + struct.pack(">d", 2500.0) + data[duration + 8 :]
    problem = read_sound(longer).problem
    assert problem is not None
    assert "its header states 2.500 s" in problem
