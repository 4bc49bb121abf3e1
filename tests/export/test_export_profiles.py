"""Export profiles: files for a platform, made from the stored masters, measured, and made only once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from packs import LOOPED, PROFILES, WITH_PROFILES, export, files_of, read_pack, tree
from quick import QuickProject
from toys import ONE, WITH_MUSIC

from manifests import load
from pipeline.errors import (
    CuesmithError,
    ManifestError,
    MasteringError,
    StoreError,
    UsageError,
    VerificationError,
)
from pipeline.export import encoding


def test_files_have_the_settings_and_their_facts_are_measured(toys: QuickProject, tmp_path: Path) -> None:
    result = export(toys, "godot", tmp_path, "mobile")
    pack = read_pack(tmp_path)
    assert pack["profile"] == "mobile"
    assert result.pack.size <= 2_000_000
    for path, file in files_of(pack).items():
        info = soundfile.info(tmp_path / path)
        is_music = path.startswith("music/")
        assert (file["format"], file["signed"]) == ("ogg" if is_music else "wav", False)
        assert (info.frames, info.samplerate, info.channels) == (
            file["samples"],
            file["sample_rate_hz"],
            file["channels"],
        )
        row = next(row for row in toys.latest.masters if row["master"] == file["master"])
        if not is_music:
            assert (info.channels, info.samplerate, info.subtype) == (1, 22_050, "PCM_16")
        elif row["loop"]:
            assert file["loop"] == {"start": row["loop"][0], "end": row["loop"][1]}
        assert file["true_peak_dbtp"] <= -2.0
        filters = ["-filter_complex", "ebur128=peak=true", "-f", "null", "-"]
        heard = subprocess.run(
            ["ffmpeg", "-hide_banner", "-i", str(tmp_path / path), *filters],
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        peak = float(heard.rpartition("Peak:")[2].split()[0])
        assert peak == pytest.approx(file["true_peak_dbtp"], abs=0.3)
        if file["seconds"] >= 1 and file["loudness_method"] == "integrated":
            loudness = float(heard.rpartition("Summary:")[2].partition("I:")[2].split()[0])
            assert loudness == pytest.approx(file["loudness_lufs"], abs=0.2)


def test_channels_that_cancel_each_other_stay_audible_in_mono(project: QuickProject, tmp_path: Path) -> None:
    project.write(
        "  - {id: sfx/wide, kind: sfx, prompt: opposite, duration: 0.5s, channels: 2, quality: {gate: false}}\n",
        WITH_PROFILES,
    )
    project.build()
    export(project, "godot", tmp_path / "game", "mobile")
    file = files_of(read_pack(tmp_path / "game"))["sfx/wide_01.wav"]
    assert file["channels"] == 1
    assert file["loudness_lufs"] > -30
    samples, _ = soundfile.read(tmp_path / "game" / file["path"])
    assert np.abs(samples).max() > 0.1


def test_the_bit_rate_is_a_limit_that_the_encoder_comes_near(toys: QuickProject, tmp_path: Path) -> None:
    export(toys, "godot", tmp_path, "mobile")
    file = files_of(read_pack(tmp_path))["music/forest/theme_01.ogg"]
    entries = ["-show_entries", "packet=size", "-of", "csv=p=0"]
    packets = subprocess.run(
        ["ffprobe", "-v", "error", *entries, str(tmp_path / file["path"])],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    rate = sum(int(size.strip(",")) for size in packets) * 8 / file["seconds"]
    assert 50_000 < rate <= 80_000


def test_a_loop_at_another_rate_wraps_where_the_pack_says(toys: QuickProject, tmp_path: Path) -> None:
    text = WITH_PROFILES.replace(
        "sfx: {format: wav,", "music: {format: wav, sample_rate: 32 kHz}\n    sfx: {format: wav,"
    )
    toys.write(LOOPED, text)
    try:
        export(toys, "godot", tmp_path, "mobile")
    finally:
        toys.write(LOOPED, WITH_PROFILES)
    files = files_of(read_pack(tmp_path))
    whole, theme = files["music/round_01.wav"], files["music/forest/theme_01.wav"]
    assert whole["loop"] == {"start": 0, "end": whole["samples"]}
    row = toys.row("music/forest/theme")
    assert row["loop"] is not None
    assert theme["loop"] == {"start": round(row["loop"][0] * 32 / 48), "end": theme["samples"]}
    samples, _ = soundfile.read(tmp_path / "music/round_01.wav")
    assert np.abs(samples[0] - samples[-1]).max() <= np.abs(np.diff(samples, axis=0)).max()


def test_an_unchanged_export_encodes_nothing(
    toys: QuickProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(toys, "godot", tmp_path / "one", "mobile")

    def refuse(*_: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr(encoding, "_encoded", refuse)
    assert export(toys, "godot", tmp_path / "one", "mobile").changes.written == ()
    export(toys, "godot", tmp_path / "two", "mobile")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    export(toys, "godot", tmp_path / "same", "same")
    delivered = {path: data for path, data in tree(tmp_path / "same").items() if path.endswith(".wav")}
    assert delivered == toys.library()


def test_a_lost_cache_is_made_again_with_the_same_bytes(toys: QuickProject, tmp_path: Path) -> None:
    export(toys, "godot", tmp_path / "one", "mobile")
    for path in (toys.outputs / "cache" / "exports").iterdir():
        path.chmod(0o644)
        path.write_bytes(b"") if path.suffix == ".json" else path.unlink()
    export(toys, "godot", tmp_path / "two", "mobile")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_damaged_file_of_the_cache_is_named_with_what_helps(project: QuickProject, tmp_path: Path) -> None:
    project.write(ONE, WITH_PROFILES)
    project.build()
    export(project, "godot", tmp_path / "one", "mobile")
    path = next((project.outputs / "cache" / "exports").glob("*.wav"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    with pytest.raises(VerificationError, match=f"{path.name} is damaged; delete it, then export again"):
        export(project, "godot", tmp_path / "two", "mobile")
    path.unlink()
    export(project, "godot", tmp_path / "two", "mobile")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_size_budget_stops_an_export_that_is_too_large(toys: QuickProject, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"profile tiny allows 0\.01 MB; the largest folders: music/forest"):
        export(toys, "godot", tmp_path / "game", "tiny")
    assert not (tmp_path / "game").exists()


def test_a_bit_rate_that_no_encoder_reaches_is_an_error_with_the_lowest(
    toys: QuickProject, tmp_path: Path
) -> None:
    with pytest.raises(MasteringError, match=r"mp3 needs \d+ kbps or more at 48000 Hz"):
        export(toys, "fmod", tmp_path / "game", "low")
    assert not (tmp_path / "game").exists()


def test_a_profile_for_another_engine_and_a_master_without_a_lossless_file_are_errors(
    toys: QuickProject, project: QuickProject, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="profile stream makes opus, and this target imports wav"):
        export(toys, "godot", tmp_path / "game", "stream")
    project.write(ONE, WITH_PROFILES.replace("[wav]", "[ogg]"))
    project.build()
    with pytest.raises(CuesmithError, match="have no file in wav, flac"):
        export(project, "godot", tmp_path / "game", "mobile")


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("a: {bit_rate: 96 kbps}", "no bit rate to choose; write format: one of ogg, opus, mp3"),
        ("a: {format: wav, bit_rate: 96 kbps}", "format wav has no bit rate to choose"),
        (
            "a: {format: opus, sample_rate: 44.1 kHz}",
            "opus does not support 44100 Hz; set sample_rate to one of",
        ),
        ("a: {format: flac, bit_depth: float}", "flac does not support float samples"),
        ("a: {sfx: {format: flac, bit_depth: float}}", "flac does not support float samples"),
        ("a: {size: 4}", "out of range"),
        ("a: {bit_rate: fast}", "is not a bit rate"),
        ("A b: {format: ogg}", "not a valid name of a profile"),
        ("a: {formats: [ogg]}", "unknown key"),
        ("a: []", "is a list, not a mapping"),
    ],
)
def test_profiles_that_cannot_be_are_refused_with_their_place(
    project: QuickProject, written: str, what: str
) -> None:
    project.write(ONE, WITH_PROFILES.replace(PROFILES, f"exports:\n  {written}\nassets:\n"))
    with pytest.raises(ManifestError, match=what) as error:
        load(project.manifest)
    assert error.value.problems[0].line == 7
    assert error.value.exit_code == 2


def test_a_profile_in_a_format_that_no_target_imports_gives_a_warning_with_its_place(
    project: QuickProject,
) -> None:
    profiles = "exports:\n  a: {format: opus}\n  b:\n    format: ogg\n    music: {format: m4a}\nassets:\n"
    project.write(ONE, WITH_PROFILES.replace(PROFILES, profiles))
    assert [str(warning).rpartition("cues.yaml:")[2] for warning in load(project.manifest).warnings] == [
        f"{place}: no export target imports {name}; write format: one of wav, flac, ogg, mp3"
        for place, name in (("7: exports.a.format", "opus"), ("10: exports.b.music.format", "m4a"))
    ]


def test_a_profile_makes_nothing_again(project: QuickProject) -> None:
    project.write(ONE, WITH_MUSIC)
    project.build()
    project.write(ONE, WITH_PROFILES)
    assert project.actions() == {"reuse": ["a/one_1", "a/one_2"]}
