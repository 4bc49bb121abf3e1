"""Files and hashes: what goes in comes out, and equal sounds give equal bytes."""

import hashlib
import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from properties import examples

from pipeline.audio import (
    Chunk,
    Clip,
    pcm_bytes,
    pcm_sha256,
    read,
    read_chunks,
    take_bytes,
    wav_bytes,
)
from pipeline.audio.wav_writer import riff_bytes
from pipeline.errors import UsageError

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
shapes = st.tuples(st.integers(1, 3), st.integers(0, 50))


@given(samples=arrays(np.float32, shapes, elements=finite), rate=st.sampled_from([8000, 32000, 44100, 48000]))
def test_a_take_comes_back_bit_for_bit_whatever_its_peak(samples: np.ndarray, rate: int) -> None:
    back = read(take_bytes(Clip(samples, rate)))
    assert back.rate == rate
    assert back.samples.tobytes() == samples.tobytes()


def test_denormals_and_overs_survive_in_a_take() -> None:
    samples = np.array([[1e-42, -1e-45, 3.5, -1e30, -0.0]], dtype=np.float32)
    assert read(take_bytes(Clip(samples, 32000))).samples.tobytes() == samples.tobytes()


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8])
@pytest.mark.parametrize("depth", ["16", "24", "float"])
def test_libsndfile_reads_every_depth_and_channel_count(channels: int, depth: str) -> None:
    samples = np.linspace(-0.9, 0.9, channels * 40, dtype=np.float32).reshape(channels, 40)
    back, rate = soundfile.read(io.BytesIO(wav_bytes(Clip(samples, 44100), depth)), always_2d=True)
    assert rate == 44100
    assert np.abs(back.T - samples).max() <= {"16": 1.5 / 2**15, "24": 0.5 / 2**23, "float": 0}[depth]


def test_wav_holds_only_the_chunks_asked_for_and_pads_odd_ones() -> None:
    clip = Clip(np.zeros((1, 3), np.float32), 8000)
    data = wav_bytes(clip, "24", [Chunk("note", b"odd")])
    assert [chunk.id for chunk in read_chunks(data)] == ["fmt ", "note", "data"]
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    assert len(data) % 2 == 0


def test_integer_depths_hold_overs_at_full_scale() -> None:
    clip = Clip(np.array([[2.0, -2.0]], np.float32), 8000)
    assert np.frombuffer(pcm_bytes(clip, "16"), "<i2").tolist() == [32767, -32768]
    assert pcm_bytes(clip, "24") == bytes.fromhex("ffff7f000080")


def test_sixteen_bit_dither_is_triangular_and_leaves_silence_alone() -> None:
    flat = Clip(np.full((1, 200_000), 0.25 / 2**15, np.float32), 48000)
    error = np.frombuffer(pcm_bytes(flat, "16"), "<i2") - 0.25
    assert abs(error.mean()) < 0.01
    assert error.var() == pytest.approx(0.25, abs=0.01)
    assert not any(pcm_bytes(Clip(np.zeros((2, 64), np.float32), 48000), "16"))


def test_dither_depends_on_the_sound_alone() -> None:
    clip = Clip(np.sin(np.arange(4000, dtype=np.float32))[None] * 0.1, 48000)
    again = Clip(np.asfortranarray(clip.samples.copy()), 48000)
    assert pcm_bytes(clip, "16") == pcm_bytes(again, "16")


def test_the_pcm_hash_is_over_rate_channels_and_interleaved_samples() -> None:
    clip = Clip(np.array([[0.5, -0.5], [1.0, 0.25]], np.float32), 48000)
    body = struct.pack("<4f", 0.5, 1.0, -0.5, 0.25)
    expected = hashlib.sha256(b"cuesmith.pcm/1\nfloat\n" + struct.pack("<II", 48000, 2) + body).hexdigest()
    assert pcm_sha256(clip) == expected


@settings(max_examples=examples(30))
@given(samples=arrays(np.float32, (2, 20), elements=finite), place=st.integers(0, 39))
def test_the_pcm_hash_changes_with_any_sample_with_the_rate_and_with_the_depth(
    samples: np.ndarray, place: int
) -> None:
    clip = Clip(samples, 48000)
    changed = samples.copy()
    changed.ravel()[place] = np.nextafter(changed.ravel()[place], np.float32(np.inf))
    hashes = {pcm_sha256(clip), pcm_sha256(Clip(changed, 48000)), pcm_sha256(Clip(samples, 44100))}
    assert len(hashes | {pcm_sha256(clip, "24")}) == 4


def test_a_file_that_ends_within_its_head_is_reported_in_one_line_and_nothing_else(capfd) -> None:
    out = io.BytesIO()
    soundfile.write(out, np.zeros(100), 48_000, format="AIFF")
    with pytest.raises(UsageError, match="cannot be read as audio"):
        read(out.getvalue()[:30])
    assert capfd.readouterr().err == ""


def test_a_file_that_is_no_audio_is_named_in_the_error(tmp_path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not audio")
    with pytest.raises(UsageError, match=r"notes\.txt cannot be read as audio"):
        read(path)


@pytest.mark.parametrize(
    "data", [b"", b"RIFFxxxx", wav_bytes(Clip(np.zeros((1, 9), np.float32), 8000), "16")[:-4]]
)
def test_a_wav_cut_short_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError):
        list(read_chunks(data))


@pytest.mark.parametrize("level", [0.3, 3.0, 3000.0])
def test_sixteen_bit_dither_is_white_and_knows_nothing_of_the_sound(level: float) -> None:
    length, cycles = 1 << 17, 1201
    tone = level / 2**15 * np.sin(2 * np.pi * cycles * np.arange(length) / length)
    clip = Clip(tone[None].astype(np.float32), 48000)
    error = np.frombuffer(pcm_bytes(clip, "16"), "<i2") - clip.samples[0].astype(np.float64) * 2**15
    assert error.var() == pytest.approx(0.25, rel=0.03)
    power = np.square(np.abs(np.fft.rfft(error))) / (0.25 * length)
    assert np.abs(power[1:-1].reshape(15, -1).mean(axis=1) - 1.0).max() < 0.1
    harmonics = power[cycles : 20 * cycles : cycles]
    assert harmonics.max() < 14
    assert abs(np.corrcoef(np.square(error), np.square(tone))[0, 1]) < 0.02


@given(
    values=arrays(np.int16, st.tuples(st.integers(1, 50), st.integers(1, 3))),
    before=st.binary(max_size=5),
)
def test_sixteen_bits_are_read_as_libsndfile_reads_them(values: np.ndarray, before: bytes) -> None:
    made = io.BytesIO()
    soundfile.write(made, values, 44100, subtype="PCM_16", format="WAV")
    chunks = list(read_chunks(made.getvalue()))
    data = riff_bytes([chunks[0], Chunk("junk", before), *chunks[1:]])
    theirs, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    assert np.array_equal(read(data).samples, theirs.T)
