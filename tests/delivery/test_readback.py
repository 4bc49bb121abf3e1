"""Tags read back by tools that we did not write: exiftool, MediaInfo, ffprobe and wavinfo, before and after signing.

The programs come with `make tools` on Debian; what is not installed is skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wavinfo
from encoders import ENCODABLE
from signed_sounds import claim, studio_identity
from specs import labels

from pipeline.audio import Clip, Loop
from pipeline.credentials.signing import Signer
from pipeline.delivery import Content, encode
from pipeline.formats import FORMATS
from pipeline.mastering.measure import measure

LABELS = labels()
FREE = {
    "CUESMITH_ASSET": LABELS.asset,
    "CUESMITH_VARIATION": "2",
    "CUESMITH_CATALOG_ID": LABELS.catalog_id,
    "CUESMITH_RECIPE": LABELS.recipe_digest,
    "AI_GENERATED": "true",
    "LICENSE": LABELS.license,
    "CATID": "MUSCMisc",
    "FXNAME": "Forest Explore",
}
"""Names of our own, in every format but wav, where iXML has them."""
PLAIN = {"title": LABELS.title, "album": LABELS.project, "comment": LABELS.disclosure, "track": "2"}
LOOP = Loop(9600, 182_400)
CASES = [(name, signed) for name in ENCODABLE for signed in (False, True)]
IDS = [f"{name}-{'signed' if signed else 'unsigned'}" for name, signed in CASES]

Delivered = Callable[[str, bool], Path]


def sound() -> Clip:
    time = np.arange(4 * 48000) / 48000
    wave = 0.3 * np.sin(2 * np.pi * 220 * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 0.5 * time))
    return Clip(np.stack([wave, 0.5 * wave]).astype(np.float32), 48000)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    """The file of a format, as it is delivered."""
    folder, clip = tmp_path_factory.mktemp("delivered"), sound()
    signer, measured = Signer(studio_identity()[0]), measure(clip)

    def make(audio_format: str, signed: bool) -> Path:
        path = folder / f"{'signed' if signed else 'plain'}.{audio_format}"
        if not path.exists():
            data = encode(clip, audio_format, Content("24", loop=LOOP, labels=LABELS, measured=measured))
            path.write_bytes(signer.sign(data, path.suffix, claim()).data if signed else data)
        return path

    return make


def _run(program: str, *words: str | Path) -> Any:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed; on Debian: make tools")
    done = subprocess.run([found, *map(str, words)], capture_output=True, check=True)
    return json.loads(done.stdout)


def exiftool(path: Path) -> dict[str, Any]:
    """Tags by group and name; user-defined ID3 texts under their own name."""
    words = ("-json", "-G1", "-a", "-charset", "RIFF=UTF8", path)
    [found] = _run("exiftool", *words)
    return dict(found)


def ffprobe(path: Path) -> dict[str, str]:
    """Tags of the file and its stream, names in lower case."""
    found = _run("ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags", "-of", "json", path)
    tags = {**found["streams"][0].get("tags", {}), **found["format"].get("tags", {})}
    return {name.lower(): value for name, value in tags.items()}


def mediainfo(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What it says of the file and of its audio."""
    general, audio = _run("mediainfo", "--Output=JSON", path)["media"]["track"][:2]
    return general, audio


@pytest.mark.parametrize(("audio_format", "signed"), CASES, ids=IDS)
def test_ffprobe_reads_every_label(audio_format: str, signed: bool, delivered: Delivered) -> None:
    tags = ffprobe(delivered(audio_format, signed))
    assert {name: tags.get(name) for name in PLAIN} == PLAIN
    if audio_format == "wav":
        assert tags["copyright"] == LABELS.license
    else:
        assert {name: tags.get(name.lower()) for name in FREE} == FREE
    if audio_format in ("mp3", "m4a"):
        assert tags["copyright"] == LABELS.license
    if FORMATS[audio_format].loop_points and audio_format != "wav":
        assert (tags["loopstart"], tags["looplength"]) == (str(LOOP[0]), str(LOOP[1] - LOOP[0]))


@pytest.mark.parametrize(("audio_format", "signed"), CASES, ids=IDS)
def test_mediainfo_reads_every_label(audio_format: str, signed: bool, delivered: Delivered) -> None:
    general, audio = mediainfo(delivered(audio_format, signed))
    assert general["Title"] == LABELS.title
    assert general["Comment"] == LABELS.disclosure
    assert (audio["SamplingRate"], audio["Channels"]) == ("48000", "2")
    if audio_format == "wav":
        assert general["Copyright"] == LABELS.license
        assert LABELS.disclosure[:60] in general["Description"]
        return
    extra = general["extra"]
    assert general["Album"] == LABELS.project
    assert general["Track_Position"] == "2"
    for name in ("CUESMITH_ASSET", "CUESMITH_CATALOG_ID", "CUESMITH_RECIPE", "AI_GENERATED"):
        assert extra[name] == FREE[name]


@pytest.mark.parametrize(("audio_format", "signed"), CASES, ids=IDS)
def test_exiftool_reads_every_label(audio_format: str, signed: bool, delivered: Delivered) -> None:
    tags = exiftool(delivered(audio_format, signed))
    group = {"wav": "RIFF", "mp3": "ID3v2_4", "m4a": "ItemList"}.get(audio_format, "Vorbis")
    assert tags[f"{group}:Title"] == LABELS.title
    assert tags[f"{group}:Comment"] == LABELS.disclosure
    if audio_format == "mp3":
        named = [str(value) for name, value in tags.items() if name.startswith("ID3v2_4:UserDefinedText")]
        said = subprocess.run(
            [str(shutil.which("exiftool")), "-a", "-UserDefinedText", str(delivered("mp3", signed))],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert named
        assert all(f"({name}) {value}" in said for name, value in FREE.items())
    elif audio_format == "m4a":
        assert {name: str(tags[f"iTunes:{name}"]).lower() for name in FREE} == {
            name: value.lower() for name, value in FREE.items()
        }
    elif audio_format != "wav":
        assert tags["Vorbis:Album"] == LABELS.project
        assert tags["Vorbis:CuesmithAsset"] == LABELS.asset
        assert tags["Vorbis:CuesmithCatalogId"] == LABELS.catalog_id
        assert tags["Vorbis:CuesmithRecipe"] == LABELS.recipe_digest
        assert tags["Vorbis:License"] == LABELS.license
        assert (tags["Vorbis:Loopstart"], tags["Vorbis:Looplength"]) == ((LOOP[0], LOOP[1] - LOOP[0]))


@pytest.mark.parametrize("signed", [False, True])
def test_exiftool_reads_ixml_aswg_and_loop_of_a_wav(signed: bool, delivered: Delivered) -> None:
    tags = exiftool(delivered("wav", signed))
    assert tags["XML:BwfxmlProject"] == LABELS.project
    output = {name: tags[f"XML:BwfxmlAswg{name}"] for name in ("CatId", "FxName", "UsageRights", "Project")}
    assert output == {
        "CatId": "MUSCMisc",
        "FxName": "Forest Explore",
        "UsageRights": LABELS.license,
        "Project": LABELS.project,
    }
    assert str(tags["XML:BwfxmlAswgIsGenerated"]).lower() == "true"
    assert str(tags["XML:BwfxmlAswgIsLoop"]).lower() == "true"
    assert float(tags["XML:BwfxmlAswgTempo"]) == 91.7
    assert float(tags["XML:BwfxmlAswgLoudness"]) == pytest.approx(measure(sound()).integrated_lufs, abs=0.01)
    assert tags["XML:BwfxmlUserCuesmithAsset"] == LABELS.asset
    assert tags["RIFF:NumSampleLoops"] == 1


@pytest.mark.parametrize("signed", [False, True])
def test_mediainfo_reads_the_loudness_of_a_wav(signed: bool, delivered: Delivered) -> None:
    general, audio = mediainfo(delivered("wav", signed))
    found, measured = (
        {**general.get("extra", {}), **audio.get("extra", {}), **general, **audio},
        measure(sound()),
    )
    loudness = {
        name: float(value) for name, value in found.items() if "Loudness" in name or "TruePeak" in name
    }
    assert loudness == {
        "LoudnessValue": pytest.approx(measured.integrated_lufs, abs=0.01),
        "LoudnessRange": pytest.approx(measured.loudness_range_lu, abs=0.01),
        "MaxTruePeakLevel": pytest.approx(measured.true_peak_dbtp, abs=0.01),
        "MaxMomentaryLoudness": pytest.approx(measured.momentary_max_lufs, abs=0.01),
        "MaxShortTermLoudness": pytest.approx(measured.short_term_max_lufs, abs=0.01),
    }


@pytest.mark.parametrize("signed", [False, True])
def test_wavinfo_reads_bext_info_ixml_loop_and_cue(signed: bool, delivered: Delivered) -> None:
    found, measured = wavinfo.WavInfoReader(str(delivered("wav", signed))), measure(sound())
    assert found.bext.originator == "Cuesmith"
    assert found.bext.loudness_value == pytest.approx(measured.integrated_lufs, abs=0.01)
    assert found.bext.max_momentary_loudness == pytest.approx(measured.momentary_max_lufs, abs=0.01)
    assert found.bext.max_shortterm_loudness == pytest.approx(measured.short_term_max_lufs, abs=0.01)
    assert found.info.title == LABELS.title
    assert found.info.copyright == LABELS.license
    assert found.ixml.project == LABELS.project
    assert found.ixml.take == "2"
    user = {child.tag: child.text for child in found.ixml.parsed.find("USER")}
    assert {name: user[name] for name in FREE} == FREE
    [loop] = found.smpl.sample_loops
    assert (loop.start, loop.end) == (LOOP[0], LOOP[1] - 1)
    assert [cue.position for cue in found.cues.cues] == [LOOP[0]]
