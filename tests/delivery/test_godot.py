"""Godot 3 imports our loops and finds their points (Debian package ``godot3-server``)."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio import Clip
from pipeline.delivery import encode
from pipeline.delivery.godot import ogg_import

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
    (tmp_path / "loop.wav").write_bytes(encode(clip, "wav", "16", loop=(4_800, 48_000)))
    (tmp_path / "loop.ogg").write_bytes(encode(clip, "ogg", loop=(4_800, 48_000)))
    (tmp_path / "once.ogg").write_bytes(encode(clip, "ogg"))
    for name, loop in (("loop", (4_800, 48_000)), ("once", None)):
        (tmp_path / f"{name}.ogg.import").write_text(ogg_import(48_000, loop))
    _godot(tmp_path, "--editor", "--quit")
    told = _godot(tmp_path, "-s", "probe.gd")
    (line,) = [line for line in told.splitlines() if line.startswith("WAV ")]
    mode, begin, end, rate = map(int, line.split()[1:])
    assert (mode, begin, rate) == (1, 4_800, 48_000)
    assert end in (47_999, 48_000)
    oggs = [line.split()[1:] for line in told.splitlines() if line.startswith("OGG ")]
    assert [looped for looped, _ in oggs] == ["True", "False"]
    assert [round(float(offset) * 48_000) for _, offset in oggs] == [4_800, 0]


def _godot(folder: Path, *words: str) -> str:
    home = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    command = [str(GODOT), "--path", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=home)
    return done.stdout + done.stderr
