"""Labels: other people's readers find in every format what was put there."""

import json
import shutil
import subprocess
from dataclasses import replace

import mutagen
import numpy as np
import pytest
import wavinfo
from mutagen.id3 import ID3
from mutagen.mp4 import MP4
from specs import labels

from pipeline.audio import Clip, Loop, read, read_chunks
from pipeline.audio.decoders import find_ffmpeg
from pipeline.delivery import Labels, codecs, encode
from pipeline.mastering.measure import measure

LABELS = labels(title="Forest: Explore 02", project="Émberfall <&>")


def clip() -> Clip:
    wave = 0.3 * np.sin(np.arange(4 * 48000) * 0.05)
    return Clip(np.stack([wave, wave]).astype(np.float32), 48000)


def file_of(audio_format: str, tmp_path, labels: Labels = LABELS):
    path = tmp_path / f"sound.{audio_format}"
    path.write_bytes(
        encode(
            clip(), audio_format, "24", loop=Loop(0, clip().length), labels=labels, measured=measure(clip())
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
    data = encode(clip(), "wav", labels=LABELS)
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
    if codecs.AudioSegment is None or find_ffmpeg() is None:
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
