"""Engines bring keys of their own: read, described and named as those of the language are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from manifest_texts import HEAD, write_sound

from pipeline.errors import ManifestError
from pipeline.generators import engine_keys as built_in
from pipeline.manifest import load_cached
from pipeline.manifest.language import language, setting_words
from pipeline.manifest.loader import load
from pipeline.manifest.schema import json_schema
from pipeline.manifest.structure import EngineKeys, Group, Key
from pipeline.manifest.values import AUDIO_FILE, DURATION, FLAG, SHARE

ECHO = Group(
    "EchoKeys",
    "Echoes of the sound.",
    (
        Key("mix", SHARE, "How loud.", "0.5", example="0.2", field="echo_mix"),
        Key("after", DURATION, "How late.", "1s", example="2s", field="echo_after_s"),
    ),
    merges=True,
)
KEYS = EngineKeys(
    settings=(
        Key("echo", ECHO, "Echoes.", example={"mix": "0.2"}),
        Key("dry", FLAG, "Without a room.", "false", example="true"),
    ),
    own=(Key("room", AUDIO_FILE, "The impulse response of a room.", example="room.wav"),),
)
ASSET = "assets:\n- {id: a, kind: sfx, prompt: a, duration: 1%s}\n"


def cave() -> Mapping[str, EngineKeys]:
    return {"cave": KEYS}


def write(folder: Path, keys: str, head: str = "") -> Path:
    path = folder / "m.yaml"
    path.write_text(HEAD + head + ASSET % keys, encoding="utf-8")
    return path


def test_an_asset_has_the_keys_that_differ_from_their_defaults(folder: Path) -> None:
    [asset] = load(write(folder, ", dry: false, echo: {mix: 0.2, after: 1s}"), None, cave).assets
    assert asset.engine_keys == {"echo": {"mix": 0.2}}
    [asset] = load(write(folder, ""), None, cave).assets
    assert asset.engine_keys == {}


def test_a_group_merges_over_defaults_key_by_key(folder: Path) -> None:
    head = "defaults: {sfx: {dry: true, echo: {mix: 0.1, after: 3s}}}\n"
    [asset] = load(write(folder, ", echo: {mix: 0.2}", head), None, cave).assets
    assert asset.engine_keys == {"echo": {"mix": 0.2, "after": 3.0}, "dry": True}


def test_an_audio_file_is_read_and_survives_the_cache(folder: Path, tmp_path: Path) -> None:
    write_sound(folder / "room.wav")
    path = write(folder, ", room: room.wav, dry: true")
    project = load(path, None, cave)
    [audio] = project.assets[0].audio
    assert (audio.name, project.assets[0].engine_keys["room"]) == ("room.wav", audio)
    for _ in range(2):
        assert load_cached(path, None, tmp_path / "cache", cave) == project


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (", echo: {mix: 2}", "echo.mix: '2' is out of range; write a share from 0 to 1"),
        (", echo: {mx: 0}", "echo.mx: unknown key; did you mean mix?"),
        (", mix: 0", "mix: unknown key here; write it below echo"),
        (", room: gone.wav", "room: there is no file 'gone.wav'; check the path, which starts at this file's folder"),
        (", decoder: mbd", "decoder: unknown key; known keys: "),
    ],
)  # fmt: skip
def test_messages_are_those_of_every_key(keys: str, message: str, folder: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        load(write(folder, keys), None, cave)
    problem = caught.value.problems[0]
    assert f"{problem.where}: {problem.what}; {problem.remedy}".startswith(f"assets[0].{message}")


def test_schema_and_reasons_name_them() -> None:
    schema = json_schema(cave)["definitions"]
    assert schema["Asset"]["properties"]["dry"]["description"] == "Without a room. Engine: cave."
    assert schema["KindSettings"]["properties"]["echo"]["examples"] == [{"mix": 0.2}]
    assert "room" not in schema["KindSettings"]["properties"]
    assert "decoder" not in schema["Asset"]["properties"]
    assert setting_words(cave) == {"echo_mix": ("echo mix", ""), "echo_after_s": ("echo after", " s")}


def test_every_key_has_a_text_an_example_and_a_default_that_its_reader_takes() -> None:
    known = language(built_in)
    for key in (*known.manifest.keys, *known.asset.keys):
        assert key.text.endswith((".", "`")), key.name
        assert key.example is not None or key.name in ("assets", "overrides"), key.name
        for kind in ("music", "sfx"):
            assert key.required or key.value_for(kind) is not None or key.default is None, key.name
