"""Every chunk of a WAV has an even size, so that readers which skip no padding byte find the samples and the loop."""

from __future__ import annotations

import io
import itertools
import struct
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from riff_walkers import careless_chunks, strict_chunks
from signed_sounds import claim, studio_identity
from specs import labels

from pipeline.audio import Clip, Depth, Loop, pcm_bytes
from pipeline.credentials.signing import Signer
from pipeline.delivery import Content, codecs, encode
from pipeline.mastering.measure import measure

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
LABELS = st.fixed_dictionaries(
    {"title": TEXTS, "project": TEXTS, "asset": TEXTS, "disclosure": TEXTS, "license": TEXTS},
    optional={"ucs_name": TEXTS, "tempo_bpm": st.floats(30, 300), "variation": st.integers(1, 999)},
)


def sound(samples: int = 801, channels: int = 1) -> Clip:
    wave = 0.3 * np.sin(np.arange(samples) * 0.05)
    return Clip(np.tile(wave.astype(np.float32), (channels, 1)), 8000)


def wav(clip: Clip, depth: Depth = "24", **also: Any) -> bytes:
    loop = Loop(100, clip.length)
    return encode(clip, "wav", Content(depth, loop=loop, labels=labels(**also), measured=measure(clip)))


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer(studio_identity()[0])


def odd_chunks(data: bytes) -> list[str]:
    """Chunks of odd size besides the samples, whose number is what it is."""
    return [name for name, payload in strict_chunks(data) if len(payload) & 1 and name != "data"]


@given(texts=LABELS)
def test_whatever_the_labels_say_every_chunk_has_an_even_size(texts: dict[str, Any]) -> None:
    assert odd_chunks(wav(sound(), **texts)) == []


@pytest.mark.parametrize(
    ("depth", "channels", "samples"), list(itertools.product(get_args(Depth), (1, 2, 6), (800, 801)))
)
def test_a_reader_that_skips_no_padding_finds_the_samples_and_the_loop(
    depth: Depth, channels: int, samples: int
) -> None:
    clip = sound(samples, channels)
    found = careless_chunks(wav(clip, depth))
    assert found["data"] == pcm_bytes(clip, depth)
    assert struct.unpack_from("<2I", found["smpl"], 44) == (100, samples - 1)


@pytest.mark.parametrize("samples", [800, 801])
def test_credentials_of_any_size_stand_in_a_chunk_of_even_size(samples: int, signer: Signer) -> None:
    plain = wav(sound(samples))
    for length in range(4):
        signed = signer.sign(plain, ".wav", claim(title="t" * length)).data
        assert odd_chunks(signed) == []
        assert dict(strict_chunks(signed))["data"] == dict(strict_chunks(plain))["data"]
        assert strict_chunks(signed)[-1][0] == "C2PA"


@pytest.mark.parametrize("channels", [1, 2])
def test_pydub_reads_a_signed_wav_from_memory(channels: int, signer: Signer) -> None:
    if codecs.AudioSegment is None:
        pytest.skip("pydub is not installed")
    clip = sound(801, channels)
    data = signer.sign(wav(clip, "16"), ".wav", claim()).data
    for segment in (codecs.AudioSegment(data=data), codecs.AudioSegment.from_file(io.BytesIO(data), "wav")):
        assert (segment.channels, segment.frame_rate, segment.frame_count()) == (channels, 8000, 801)
        assert segment.raw_data == pcm_bytes(clip, "16")
