"""Audio that a manifest names is read when the manifest is: what no engine could use is a problem with its line."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from manifest_texts import Complain, Load, write_sound

from pipeline.audio import Clip, wav_bytes
from pipeline.generators.audiocraft.manifest_keys import keys_of

ROLES = ("melody", "continue_from", "style")


def _asset(keys: str) -> str:
    return f"assets:\n- {{id: m, kind: music, prompt: a, duration: 9, {keys}}}\n"


def _float_wav(value: float) -> bytes:
    samples = np.full((2, 8000), 0.1, np.float32)
    samples[1, 4321] = value
    return wav_bytes(Clip(samples, 8000), "float")


USELESS = {
    "text.wav": b"this is a text, not a sound\n" * 40,
    "empty.wav": b"",
    "nan.wav": _float_wav(float("nan")),
    "infinite.wav": _float_wav(float("-inf")),
    "blip.wav": wav_bytes(Clip(np.full((1, 100), 0.1, np.float32), 8000), "16"),
    "none.wav": wav_bytes(Clip(np.zeros((1, 0), np.float32), 8000), "16"),
    "picture.flac": b"\x89PNG\r\n\x1a\n" + bytes(200),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", USELESS)
def test_a_file_that_no_engine_can_use_is_refused_at_its_line(
    name: str, role: str, complaints: Complain, folder: Path
) -> None:
    (folder / name).write_bytes(USELESS[name])
    [message] = complaints(_asset(f"{role}: {name}"))
    where = "style.file" if role == "style" else role
    assert message.startswith(f"m.yaml:4: assets[0].{where}: file '{name}'")
    assert "; " in message


def test_what_is_wrong_is_said_in_words(complaints: Complain, folder: Path) -> None:
    for name, data in USELESS.items():
        (folder / name).write_bytes(data)
    said = {name: complaints(_asset(f"melody: {name}"))[0].partition(f"'{name}'")[2] for name in USELESS}
    assert said["empty.wav"] == " is empty; export it again"
    assert said["nan.wav"] == " contains samples that are not numbers (NaN or infinity); export it again"
    assert said["nan.wav"] == said["infinite.wav"]
    assert said["blip.wav"] == " contains 12.5 ms of sound; give 20 ms or more"
    assert said["text.wav"].startswith(": the sound cannot be read as audio")


def test_a_file_that_may_not_be_read_is_refused(complaints: Complain, folder: Path) -> None:
    write_sound(folder / "tune.wav")
    (folder / "tune.wav").chmod(0)
    if os.access(folder / "tune.wav", os.R_OK):
        pytest.skip("this user may read everything")
    [message] = complaints(_asset("melody: tune.wav"))
    assert message == (
        "m.yaml:4: assets[0].melody: file 'tune.wav' cannot be read: Permission denied; check its permissions"
    )


@pytest.mark.parametrize("name", ["Theme.WAV", "theme", "theme.take.2", "theme.Wave-File", "théme.wav"])
def test_the_ending_of_a_name_plays_no_part(name: str, loaded: Load, folder: Path) -> None:
    write_sound(folder / name)
    melody = keys_of(loaded(_asset(f"melody: {name}")).assets[0]).melody
    assert melody is not None
    assert melody.name == name


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("style: short.wav", "lasts 2 s, too short for an excerpt of 3 s"),
        ("style: {file: short.wav, excerpt: 1.5s, at: 1s}", "too short for an excerpt of 1.5 s at 1 s"),
    ],
)
def test_a_style_must_hold_the_excerpt_that_is_asked_for(
    keys: str, said: str, complaints: Complain, folder: Path
) -> None:
    write_sound(folder / "short.wav", seconds=2)
    [message] = complaints(_asset(keys))
    assert message.startswith("m.yaml:4: assets[0].style.file: file 'short.wav' ")
    assert said in message
    assert message.endswith("; give a longer file, a shorter excerpt or another place (at)")


def test_a_style_that_just_holds_its_excerpt_is_taken(loaded: Load, folder: Path) -> None:
    write_sound(folder / "short.wav", seconds=2)
    [asset] = loaded(_asset("style: {file: short.wav, excerpt: 1.5s, at: 0.5s}")).assets
    assert keys_of(asset).style is not None
