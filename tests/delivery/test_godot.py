"""Godot 3 imports our loops and finds their points (Debian package ``godot3-server``)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from quick import QuickProject
from riff_walkers import strict_chunks
from toys import WITH_MUSIC

from pipeline.audio import Clip, Loop, read
from pipeline.credentials.checking import check
from pipeline.delivery import Content, encode

OGG_IMPORT = """\
[remap]

importer="ogg_vorbis"
type="AudioStreamOGGVorbis"

[params]

loop={loop}
loop_offset={offset}
"""
"""The settings file that docs/formats.md shows."""
GODOT = shutil.which("godot3-server")
PROJECT = 'config_version=4\n\n[application]\nconfig/name="loops"\n'
SCRIPT = """extends SceneTree
func _init():
    var wav = load("res://loop.wav")
    print("WAV ", wav.loop_mode, " ", wav.loop_begin, " ", wav.loop_end, " ", wav.mix_rate)
    for name in ["loop", "once"]:
        var ogg = load("res://" + name + ".ogg")
        print("OGG ", ogg.loop, " ", ogg.loop_offset)
    quit()
"""


@pytest.mark.slow
@pytest.mark.skipif(GODOT is None, reason="needs godot3-server")
def test_godot_imports_a_wav_and_an_ogg_with_their_loop_points(tmp_path: Path) -> None:
    places = np.arange(48_000) / 48_000
    clip = Clip((0.3 * np.sin(2 * np.pi * 100 * places))[None].astype(np.float32), 48_000)
    (tmp_path / "project.godot").write_text(PROJECT)
    (tmp_path / "probe.gd").write_text(SCRIPT)
    (tmp_path / "loop.wav").write_bytes(encode(clip, "wav", Content("16", loop=Loop(4_800, 48_000))))
    (tmp_path / "loop.ogg").write_bytes(encode(clip, "ogg", Content(loop=Loop(4_800, 48_000))))
    (tmp_path / "once.ogg").write_bytes(encode(clip, "ogg"))
    for name, loop, offset in (("loop", "true", 0.1), ("once", "false", 0.0)):
        (tmp_path / f"{name}.ogg.import").write_text(OGG_IMPORT.format(loop=loop, offset=offset))
    _godot(tmp_path, "--editor", "--quit")
    output = _godot(tmp_path, "-s", "probe.gd")
    (line,) = [line for line in output.splitlines() if line.startswith("WAV ")]
    mode, begin, end, rate = map(int, line.split()[1:])
    assert (mode, begin, rate) == (1, 4_800, 48_000)
    assert end in (47_999, 48_000)
    oggs = [line.split()[1:] for line in output.splitlines() if line.startswith("OGG ")]
    assert [looped for looped, _ in oggs] == ["True", "False"]
    assert [round(float(offset) * 48_000) for _, offset in oggs] == [4_800, 0]


LOOPED = """\
  - {id: music/round, kind: music, prompt: round, duration: 1.5s, loop: true, tags: [calm]}
  - {id: music/forest/theme, kind: music, prompt: an intro, duration: 3s, loop: {intro: 1s}, channels: 2}
  - {id: music/short, kind: music, prompt: short, duration: 1.1s, loop: true, sample_rate: 22050, bit_depth: 16}
  - {id: sfx/door, kind: sfx, prompt: a door, duration: 0.5s, variations: 3}
"""
BUILT_SCRIPT = """extends SceneTree
func _init():
    var folder = Directory.new()
    folder.open("res://")
    folder.list_dir_begin(true)
    var name = folder.get_next()
    while name != "":
        if name.ends_with(".wav"):
            var wav = load("res://" + name)
            print("WAV ", name, " ", wav.data.size(), " ", wav.loop_mode, " ", wav.loop_begin, " ", wav.loop_end)
        name = folder.get_next()
    quit()
"""


@pytest.mark.slow
@pytest.mark.skipif(GODOT is None, reason="needs godot3-server")
def test_godot_imports_every_wav_of_a_signed_build_with_its_samples_and_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("c2pa")
    monkeypatch.setenv("CUESMITH_CONFIG", str(tmp_path / "config"))
    project = QuickProject(tmp_path / "toys")
    project.write(LOOPED, WITH_MUSIC.replace("[wav]", "[wav], credentials: development"))
    project.build()
    game = tmp_path / "game"
    game.mkdir()
    (game / "project.godot").write_text(PROJECT)
    (game / "probe.gd").write_text(BUILT_SCRIPT)
    expected = {}
    for row in project.latest.masters:
        [path] = row["files"]
        built = project.outputs / "library" / "latest" / path
        assert check(built).is_valid
        assert {"bext", "iXML", "LIST", "C2PA"} <= {name for name, _ in strict_chunks(built.read_bytes())}
        shutil.copy(built, game / built.name)
        # Godot's own format of these: 16 bit for each sample of each channel.
        size = read(built).length * row["channels"] * 2
        start, end = row["loop"] or (0, 0)
        expected[built.name] = (size, 1 if row["loop"] else 0, start, max(0, end - 1))
    assert sum(loop for _, loop, _, _ in expected.values()) == 3
    _godot(game, "--editor", "--quit")
    lines = [line.split() for line in _godot(game, "-s", "probe.gd").splitlines() if line.startswith("WAV ")]
    assert {name: tuple(map(int, facts)) for _, name, *facts in lines} == expected


def _godot(folder: Path, *words: str) -> str:
    home = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    command = [str(GODOT), "--path", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=home)
    return done.stdout + done.stderr
