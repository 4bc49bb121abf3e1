"""Labels: other people's readers find in every format what was put there."""

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import mutagen
import numpy as np
import pytest
import wavinfo
from encoders import HAS_M4A
from mutagen.id3 import ID3
from mutagen.mp4 import MP4
from specs import labels

from pipeline.audio import Clip, Loop, read, read_chunks
from pipeline.delivery import Content, Labels, encode, render
from pipeline.mastering.measure import measure

PROMPT = "a calm forest, <birds> & 'wind'; Übung 🔊"
LABELS = labels(title="Forest: Explore 02", project="Émberfall <&>", prompt=PROMPT)


def clip() -> Clip:
    wave = 0.3 * np.sin(np.arange(4 * 48000) * 0.05)
    return Clip(np.stack([wave, wave]).astype(np.float32), 48000)


def file_of(audio_format: str, tmp_path, labels: Labels = LABELS):
    path = tmp_path / f"sound.{audio_format}"
    path.write_bytes(
        encode(
            clip(),
            audio_format,
            Content("24", loop=Loop(0, clip().length), labels=labels, measured=measure(clip())),
        )
    )
    return path


def test_wavinfo_reads_bext_ixml_and_info(tmp_path) -> None:
    found = wavinfo.WavInfoReader(str(file_of("wav", tmp_path)))
    measured = measure(clip())
    assert found.bext.description == f"{LABELS.title}. {LABELS.disclosure}"
    assert found.bext.originator == "Cuesmith"
    assert found.bext.version == 2
    assert found.bext.loudness_value == pytest.approx(measured.integrated_lufs, abs=0.01)
    assert found.bext.max_true_peak == pytest.approx(measured.true_peak_dbtp, abs=0.01)
    assert found.ixml.project == "Émberfall <&>"
    aswg = {child.tag: child.text for child in found.ixml.parsed.find("ASWG")}
    assert aswg["isGenerated"] == "true"
    assert aswg["isLoop"] == "true"
    assert aswg["tempo"] == "91.7"
    assert aswg["catId"] == "MUSCMisc"
    assert aswg["loudness"] == f"{measured.integrated_lufs:.2f}"
    assert found.info.title == "Forest: Explore 02"
    assert found.info.copyright == "CC-BY-NC-4.0"
    assert found.smpl.sample_loops[0].end == clip().length - 1
    assert found.data.byte_count == clip().length * 2 * 3


def test_the_samples_of_a_wav_are_those_without_labels(tmp_path) -> None:
    labelled = file_of("wav", tmp_path).read_bytes()
    assert read(labelled).samples.tobytes() == read(encode(clip(), "wav")).samples.tobytes()
    names = [chunk.id for chunk in read_chunks(labelled)]
    assert names == ["fmt ", "bext", "iXML", "LIST", "cue ", "smpl", "data"]


def test_bext_says_unknown_where_nothing_was_measured() -> None:
    data = encode(clip(), "wav", Content(labels=LABELS))
    (bext,) = [chunk.data for chunk in read_chunks(data) if chunk.id == "bext"]
    assert len(bext) > 602
    assert bext[412:422] == b"\xff\x7f" * 5


@pytest.mark.parametrize("audio_format", ["ogg", "opus", "flac"])
def test_vorbis_comments_hold_every_label_after_the_loop(audio_format: str, tmp_path) -> None:
    tags = mutagen.File(file_of(audio_format, tmp_path)).tags
    assert [name for name, _ in tags][:3] == ["LOOPSTART", "LOOPLENGTH", "TITLE"]
    assert tags["album"] == ["Émberfall <&>"]
    assert tags["comment"] == [LABELS.disclosure]
    assert tags["license"] == ["CC-BY-NC-4.0"]
    assert tags["cuesmith_recipe"] == ["ab" * 32]
    assert tags["ai_generated"] == ["true"]


def test_id3_holds_every_label_and_the_sound_is_untouched(tmp_path) -> None:
    path = file_of("mp3", tmp_path)
    tags = ID3(path)
    assert str(tags["TIT2"]) == LABELS.title
    assert str(tags["TXXX:CUESMITH_ASSET"]) == LABELS.asset
    assert str(tags["TXXX:LICENSE"]) == LABELS.license
    assert str(tags["COMM::eng"]) == LABELS.disclosure
    assert read(path).samples.tobytes() == read(encode(clip(), "mp3")).samples.tobytes()


def test_atoms_hold_every_label(tmp_path) -> None:
    if not HAS_M4A:
        pytest.skip("the m4a extra is not installed")
    tags = MP4(file_of("m4a", tmp_path)).tags
    assert tags["\xa9nam"] == [LABELS.title]
    assert bytes(tags["----:com.apple.iTunes:CUESMITH_RECIPE"][0]) == b"ab" * 32
    assert tags["tmpo"] == [92]


@pytest.mark.parametrize("audio_format", ["wav", "flac", "ogg", "opus", "mp3"])
def test_ffprobe_reads_the_title(audio_format: str, tmp_path) -> None:
    program = shutil.which("ffprobe")
    if program is None:
        pytest.skip("ffprobe is not installed")
    command = [program, "-v", "error", "-show_entries", "format_tags:stream_tags", "-of", "json"]
    done = subprocess.run([*command, str(file_of(audio_format, tmp_path))], capture_output=True, check=True)
    found = json.loads(done.stdout)
    tags = {**found.get("format", {}).get("tags", {}), **(found.get("streams") or [{}])[0].get("tags", {})}
    assert LABELS.title in {value for name, value in tags.items() if name.lower() == "title"}


ALL = [
    "wav",
    "flac",
    "ogg",
    "opus",
    "mp3",
    pytest.param("m4a", marks=pytest.mark.skipif(not HAS_M4A, reason="the m4a extra is not installed")),
]


def mutagen_tags(path: Path | io.BytesIO) -> dict[str, str]:
    """The tags that mutagen reads from any format but wav, by name in capitals."""
    tags = mutagen.File(path).tags
    if isinstance(tags, ID3):
        return {frame.desc.upper(): str(frame) for frame in tags.getall("TXXX")}
    named = {name.rpartition(":")[2].upper(): values[0] for name, values in dict(tags).items()}
    return {
        name: bytes(value).decode() if isinstance(value, bytes) else str(value)
        for name, value in named.items()
    }


def ffprobe(path: Path) -> dict[str, str]:
    """All tags that ffprobe reads, by name in capitals."""
    program = shutil.which("ffprobe")
    if program is None:
        pytest.skip("ffprobe is not installed")
    command = [program, "-v", "error", "-show_format", "-show_streams", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    tags = {**found["format"].get("tags", {}), **found["streams"][0].get("tags", {})}
    return {name.upper(): value for name, value in tags.items()}


@pytest.mark.parametrize("audio_format", ALL)
def test_the_prompt_is_in_every_format_and_a_private_one_in_none(audio_format: str, tmp_path) -> None:
    path = file_of(audio_format, tmp_path)
    if audio_format == "wav":
        found = wavinfo.WavInfoReader(str(path)).ixml.parsed.findtext("USER/AI_PROMPT")
    else:
        found = mutagen_tags(path)["AI_PROMPT"]
        assert ffprobe(path)["AI_PROMPT"] == PROMPT
    assert found == PROMPT
    private = file_of(audio_format, tmp_path, replace(LABELS, prompt="")).read_bytes()
    assert b"AI_PROMPT" not in private
    assert b"birds" not in private


@pytest.mark.parametrize("audio_format", ALL[1:])
def test_loudness_tags_have_the_measured_values_and_the_right_reference(audio_format: str, tmp_path) -> None:
    path, measured = file_of(audio_format, tmp_path), measure(clip())
    for tags in (mutagen_tags(path), ffprobe(path)):
        if audio_format == "opus":
            assert int(tags["R128_TRACK_GAIN"]) / 256 == pytest.approx(
                -23 - measured.integrated_lufs, abs=1 / 256
            )
            assert not any(name.startswith("REPLAYGAIN") for name in tags)
        else:
            gain, unit = tags["REPLAYGAIN_TRACK_GAIN"].split()
            assert unit == "dB"
            assert float(gain) == pytest.approx(-18 - measured.integrated_lufs, abs=0.006)
            peak = 10 ** (measured.true_peak_dbtp / 20)
            assert float(tags["REPLAYGAIN_TRACK_PEAK"]) == pytest.approx(peak, abs=1e-6)
            assert not any(name.startswith("R128") for name in tags)


def test_players_find_replaygain_where_they_look(tmp_path) -> None:
    """ffprobe prints the values that ffmpeg's players apply."""
    program = shutil.which("ffprobe")
    if program is None:
        pytest.skip("ffprobe is not installed")
    for audio_format in ("flac", "ogg", "mp3"):
        path = file_of(audio_format, tmp_path)
        output = subprocess.run([program, path], capture_output=True, text=True, check=True).stderr
        found = re.search(r"replaygain: track gain - (\S+), track peak - (\S+),", output)
        assert found is not None
        assert float(found[1]) == pytest.approx(-18 - measure(clip()).integrated_lufs, abs=0.01)


def test_opusinfo_reads_the_gain(tmp_path) -> None:
    program = shutil.which("opusinfo")
    if program is None:
        pytest.skip("opusinfo is not installed")
    done = subprocess.run(
        [program, str(file_of("opus", tmp_path))], capture_output=True, text=True, check=False
    )
    value = round((-23 - measure(clip()).integrated_lufs) * 256)
    assert f"R128_TRACK_GAIN={value}" in done.stdout
    assert "WARNING" not in done.stdout + done.stderr


@pytest.mark.parametrize("audio_format", ["ogg", "opus", "mp3"])
def test_a_lowered_file_has_the_loudness_that_it_has(audio_format: str) -> None:
    square = 0.95 * np.sign(np.sin(np.arange(2 * 48000) * 0.03 + 0.01))
    loud = Clip(square[np.newaxis].astype(np.float32), 48000)
    content = Content(labels=LABELS, measured=measure(loud))
    made = render(loud, audio_format, content, ceiling_dbtp=-1.0)
    assert made.lowered_db > 0.5
    tags = mutagen_tags(io.BytesIO(made.data))
    wanted = measure(loud).integrated_lufs - made.lowered_db
    found = (
        -23 - int(tags["R128_TRACK_GAIN"]) / 256
        if audio_format == "opus"
        else (-18 - float(tags["REPLAYGAIN_TRACK_GAIN"].split()[0]))
    )
    assert found == pytest.approx(wanted, abs=0.01)
    assert measure(read(made.data)).integrated_lufs == pytest.approx(found, abs=0.5)


def test_silence_has_no_gain(tmp_path) -> None:
    silent = Clip(np.zeros((1, 48000), np.float32), 48000)
    for audio_format in ("flac", "opus"):
        data = encode(silent, audio_format, Content(labels=LABELS, measured=measure(silent)))
        tags = mutagen_tags(io.BytesIO(data))
        assert not {"REPLAYGAIN_TRACK_GAIN", "R128_TRACK_GAIN"} & tags.keys()


@pytest.mark.parametrize("audio_format", ["wav", "flac", "ogg", "opus", "mp3"])
def test_labels_keep_equal_work_equal_and_change_with_what_they_say(audio_format: str, tmp_path) -> None:
    first = file_of(audio_format, tmp_path).read_bytes()
    assert file_of(audio_format, tmp_path).read_bytes() == first
    assert file_of(audio_format, tmp_path, replace(LABELS, title="Other")).read_bytes() != first


def test_text_that_no_xml_can_hold_does_not_break_the_file(tmp_path) -> None:
    found = wavinfo.WavInfoReader(
        str(file_of("wav", tmp_path, replace(LABELS, disclosure="a\0b\x1fc\U0001f50a")))
    )
    assert found.ixml.parsed.find("ASWG/notes").text == "abc\U0001f50a"
