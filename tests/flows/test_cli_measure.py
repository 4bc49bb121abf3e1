"""`cuesmith measure`: the fields that scripts rely on, and what it says of files that it cannot measure."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from encoders import find_ffmpeg
from typer.testing import CliRunner, Result

from flows.cli.app import app
from pipeline.audio import Clip, decoders
from pipeline.delivery import encode

FIELDS = [
    "path",
    "duration_s",
    "sample_rate_hz",
    "channels",
    "integrated_lufs",
    "momentary_max_lufs",
    "short_term_max_lufs",
    "loudness_range_lu",
    "true_peak_dbtp",
    "sample_peak_dbfs",
    "dc_offset",
    "leading_silence_s",
    "trailing_silence_s",
    "method",
]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["measure", *(str(word) for word in words)])


def reported(*words: str | Path) -> Any:
    return json.loads(run(*words, "--json").stdout)


def tone(folder: Path, name: str = "tone.wav", seconds: float = 4.0, level_db: float = -23.0) -> Path:
    """A 997 Hz stereo sine: its loudness is its level (EBU Tech 3341, case 1)."""
    time = np.arange(round(seconds * 48000)) / 48000
    wave = 10 ** (level_db / 20) * np.sin(2 * np.pi * 997 * time)
    soundfile.write(folder / name, np.stack([wave, wave], axis=1), 48000, subtype="FLOAT")
    return folder / name


def test_json_has_exactly_the_promised_fields_in_their_order(tmp_path: Path) -> None:
    answer = reported(tone(tmp_path))
    assert list(answer) == ["files", "problems"]
    assert list(answer["files"][0]) == FIELDS


def test_a_tone_measures_what_it_is(tmp_path: Path) -> None:
    [found] = reported(tone(tmp_path))["files"]
    assert found["integrated_lufs"] == pytest.approx(-23.0, abs=0.1)
    assert found["true_peak_dbtp"] == pytest.approx(-23.0, abs=0.1)
    assert found["sample_peak_dbfs"] == pytest.approx(-23.0, abs=0.1)
    assert (found["duration_s"], found["sample_rate_hz"], found["channels"]) == (4.0, 48000, 2)


def test_silence_is_null_and_never_infinite(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(48000), 48000)
    result = run(tmp_path / "silence.wav", "--json")
    [found] = json.loads(result.stdout)["files"]
    assert [found[key] for key in ("integrated_lufs", "true_peak_dbtp", "sample_peak_dbfs")] == [None] * 3
    assert found["leading_silence_s"] == 1.0
    assert "Infinity" not in result.stdout
    assert "-" in run(tmp_path / "silence.wav").stdout.splitlines()[1].split()


@pytest.mark.skipif(sys.platform == "win32", reason="names of files cannot hold these on Windows")
def test_a_file_has_one_row_whatever_its_name_holds(tmp_path: Path) -> None:
    names = ["two\nlines.wav", "a\rb\x1b[2J.wav", "é ü.wav"]
    for name in names:
        tone(tmp_path, name)
    result = run(*(tmp_path / name for name in names), tmp_path / "not\nthere.wav")
    rows = result.stdout.splitlines()
    assert len(rows) == 1 + len(names)
    assert "two\\nlines.wav" in rows[1]
    assert "a\\rb\\x1b[2J.wav" in rows[2]
    assert "é ü.wav" in rows[3]
    assert len({len(row) for row in rows}) == 1
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="names of files cannot hold these on Windows")
def test_credentials_tell_one_file_a_line_whatever_its_name_holds(tmp_path: Path) -> None:
    pytest.importorskip("c2pa")
    files = [tone(tmp_path, "two\nlines.wav"), tone(tmp_path, "plain.wav"), tmp_path / "not\nthere.wav"]
    result = CliRunner().invoke(app, ["credentials", "verify", *map(str, files)])
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["Missing", "because:"] * 2
    assert len(result.stderr.splitlines()) == 1


def test_several_files_keep_their_order_and_bad_ones_stop_no_other(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no sound")
    files = [tone(tmp_path, "b.wav"), tmp_path / "gone.wav", tone(tmp_path, "a.wav"), tmp_path / "notes.txt"]
    result = run(*files, "--json")
    answer = json.loads(result.stdout)
    assert [one["path"] for one in answer["files"]] == [str(files[0]), str(files[2])]
    assert [one["path"] for one in answer["problems"]] == [str(files[1]), str(files[3])]
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert "gone.wav: No such file" in lines[0]
    assert "notes.txt cannot be read as audio" in lines[1]


def test_a_folder_and_a_sound_that_is_not_numbers_are_wrong_inputs(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 48000, subtype="FLOAT")
    for path in (tmp_path, tmp_path / "nan.wav"):
        result = run(path)
        assert result.exit_code == 2
        assert str(path) in result.stderr
        assert "seed" not in result.stderr


def test_a_mean_of_nothing_has_no_minus(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "low.wav", np.array([-1e-5, 0.0] * 500), 48000, subtype="FLOAT")
    assert "-0.0000" not in run(tmp_path / "low.wav").stdout


def test_text_is_a_table_with_one_line_a_file(tmp_path: Path) -> None:
    head, first, second = run(tone(tmp_path), tone(tmp_path, "other.wav", 1.0)).stdout.splitlines()
    assert head.split()[:3] == ["file", "seconds", "Hz"]
    assert "-23.0" in first
    assert len({len(head), len(first), len(second)}) == 1


@pytest.mark.parametrize("audio_format", ["flac", "ogg", "opus", "mp3"])
def test_every_delivered_format_is_measured(audio_format: str, tmp_path: Path) -> None:
    time = np.arange(2 * 48000) / 48000
    clip = Clip((0.1 * np.sin(2 * np.pi * 997 * time)).astype(np.float32)[None], 48000)
    path = tmp_path / f"sound.{audio_format}"
    path.write_bytes(encode(clip, audio_format))
    [found] = reported(path)["files"]
    assert found["integrated_lufs"] == pytest.approx(-23.0, abs=0.3)


def test_m4a_is_measured_with_ffmpeg_alone_and_reported_clearly_without(
    tmp_path: Path, monkeypatch: Any
) -> None:
    program = shutil.which("ffmpeg") or find_ffmpeg()
    path = tmp_path / "sound.m4a"
    if not program:
        pytest.skip("ffmpeg is not installed")
    source = ["-f", "lavfi", "-i", "sine=997:duration=2:sample_rate=48000", "-c:a", "aac", str(path)]
    subprocess.run([program, "-v", "error", *source], check=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ffmpeg").symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    [found] = reported(path)["files"]
    assert found["duration_s"] == pytest.approx(2.0, abs=0.05)
    monkeypatch.setattr(decoders, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", "")
    result = run(path)
    assert result.exit_code == 4
    assert "m4a needs ffmpeg, which is not installed" in result.stderr


def test_an_incomplete_file_is_measured_as_far_as_it_goes_and_said(tmp_path: Path) -> None:
    whole, cut = tone(tmp_path, "whole.wav"), tone(tmp_path, "cut.wav")
    cut.write_bytes(cut.read_bytes()[:700_000])
    result = run(cut, whole, "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 2
    assert [one["path"] for one in answer["files"]] == [str(cut), str(whole)]
    assert answer["files"][0]["duration_s"] == pytest.approx(700_000 / 384_000, abs=0.01)
    assert [one["path"] for one in answer["problems"]] == [str(cut)]
    [line] = result.stderr.splitlines()
    assert "cut.wav is incomplete or damaged" in line
    assert "cut.wav" in run(cut).stdout


def test_the_command_line_starts_without_numpy() -> None:
    code = "import sys, flows.cli.measure; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
