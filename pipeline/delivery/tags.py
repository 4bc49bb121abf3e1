"""The labels of a delivered file, and the tags that hold them: Vorbis comments, ID3 and MP4 atoms, by mutagen.

The labels in a delivered lossless file are read too, so that a file made from it gets the same ones.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from mutagen import MutagenError, id3, mp4
from mutagen.flac import FLAC

from pipeline.audio import read_chunks
from pipeline.audio.decibel import amplitude
from pipeline.errors import UsageError
from pipeline.manifest.spec import Kind
from pipeline.mastering.measure import Measurement
from pipeline.provenance import MasterRecord, master_name


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one rendition. They contain no clock time, host or path, so files are reproducible."""

    title: str
    project: str
    asset: str
    """The asset's id."""
    variation: int
    kind: Kind
    catalog_id: str
    """The master's identity in the catalog."""
    disclosure: str
    """How the sound was made, as text for people: AI-generated or procedural."""
    generated: bool
    """True when a trained model made the sound."""
    license: str
    """SPDX identifier, or a plain name without one."""
    recipe_digest: str
    prompt: str = ""
    """The prompt of the sound; empty if it is private."""
    tempo_bpm: float | None = None
    ucs_category: str | None = None
    """CatID, such as ``FOOTHmn``."""
    ucs_name: str | None = None
    """FXName."""
    watermark: str = ""
    """The watermark's name and its message, such as ``audioseal 6ca5``; empty without one."""

    @property
    def tempo(self) -> str:
        """Beats a minute without trailing zeros, such as ``91.7``; empty without a tempo."""
        return f"{self.tempo_bpm:g}" if self.tempo_bpm else ""

    def plain(self) -> list[tuple[str, str]]:
        """Names and values for formats that take any name (Vorbis comments, ID3 TXXX, MP4 freeform), in
        order."""
        pairs = [
            ("CUESMITH_ASSET", self.asset),
            ("CUESMITH_VARIATION", str(self.variation)),
            ("CUESMITH_KIND", self.kind),
            ("CUESMITH_CATALOG_ID", self.catalog_id),
            ("CUESMITH_RECIPE", self.recipe_digest),
            ("AI_PROMPT", self.prompt),
            ("AI_GENERATED", "true" if self.generated else "false"),
            ("AI_WATERMARK", self.watermark),
            ("LICENSE", self.license),
            ("CATID", self.ucs_category or ""),
            ("FXNAME", self.ucs_name or ""),
        ]
        return [(name, value) for name, value in pairs if value]


def labels_of(
    record: MasterRecord, asset: str, prompt: str, tempo_bpm: float | None, ucs: Mapping[str, str] | None
) -> Labels:
    """The labels of a master's files. ``asset`` is the asset's first id; an empty ``prompt`` is left out."""
    model, ucs, watermark = record["take"]["model"], ucs or {}, record.get("watermark")
    return Labels(
        title=master_name(asset, record["variation"]),
        project=record["manifest"]["project"],
        asset=asset,
        variation=record["variation"],
        kind="music" if record["kind"] == "music" else "sfx",
        catalog_id=record["digest"],
        disclosure=record["disclosure"]["statement"],
        generated=model["neural"],
        license=model["license"],
        recipe_digest=record["take"]["digest"],
        prompt=prompt,
        tempo_bpm=tempo_bpm,
        ucs_category=ucs.get("category"),
        ucs_name=ucs.get("name"),
        watermark=f"{watermark['name']} {watermark['message']}" if watermark else "",
    )


TOOL = "Cuesmith"
Pairs = Sequence[tuple[str, str]]


def _no_padding(_: object) -> int:
    return 0


_REPLAYGAIN_LUFS = -18.0
"""Reference of ReplayGain 2.0."""
_R128_LUFS = -23.0
"""Reference of R128_TRACK_GAIN (RFC 7845, section 5.2.1)."""


def replaygain(measured: Measurement | None) -> list[tuple[str, str]]:
    """ReplayGain 2.0: the gain to -18 LUFS in dB and the true peak as an amplitude; only what is measured.

    Source: https://wiki.hydrogenaudio.org/index.php?title=ReplayGain_2.0_specification
    """
    tags = []
    if measured is not None and measured.integrated_lufs is not None:
        gain = _REPLAYGAIN_LUFS - measured.integrated_lufs
        tags.append(("REPLAYGAIN_TRACK_GAIN", f"{gain:.2f} dB"))
    if measured is not None and measured.true_peak_dbtp is not None:
        tags.append(("REPLAYGAIN_TRACK_PEAK", f"{amplitude(measured.true_peak_dbtp):.6f}"))
    return tags


def r128_gain(measured: Measurement | None) -> list[tuple[str, str]]:
    """The gain of an Opus file to -23 LUFS, in 1/256 dB (RFC 7845); Opus has no tag for a peak."""
    if measured is None or measured.integrated_lufs is None:
        return []
    gain = round((_R128_LUFS - measured.integrated_lufs) * 256)
    return [("R128_TRACK_GAIN", str(max(-32768, min(32767, gain))))]


def vorbis_comments(labels: Labels | None, loop: Pairs, loudness: Pairs) -> list[tuple[str, str]]:
    """Vorbis comments, with the loop first, because some players only look there."""
    if labels is None:
        return list(loop)
    common = [
        ("TITLE", labels.title),
        ("ALBUM", labels.project),
        ("TRACKNUMBER", str(labels.variation)),
        ("COMMENT", labels.disclosure),
        ("BPM", labels.tempo),
    ]
    return [*loop, *((name, value) for name, value in common if value), *loudness, *labels.plain()]


def loop_comments(start: int, end: int) -> list[tuple[str, str]]:
    """Vorbis comments in decimal samples; ``end`` is exclusive. RPG Maker and similar players look for these names."""
    return [("LOOPSTART", str(start)), ("LOOPLENGTH", str(end - start))]


def with_comments(data: bytes, file_type: Any, pairs: Pairs) -> bytes:
    """A file of mutagen's ``file_type`` with ``pairs`` before the encoder's comments; unchanged without ``pairs``."""
    if not pairs:
        return data
    buffer = io.BytesIO(data)
    file = file_type(buffer)
    if file.tags is None:
        file.add_tags()
    encoder_tags = list(file.tags)
    del file.tags[:]
    file.tags.extend([*pairs, *encoder_tags])
    buffer.seek(0)
    file.save(buffer, padding=_no_padding)
    return buffer.getvalue()


def with_id3(data: bytes, labels: Labels | None, loudness: Pairs) -> bytes:
    """An mp3 file with an ID3v2.4 tag in front."""
    if labels is None:
        return data
    tags = id3.ID3()
    frames = [
        id3.TIT2(encoding=3, text=labels.title),
        id3.TALB(encoding=3, text=labels.project),
        id3.TRCK(encoding=3, text=str(labels.variation)),
        id3.COMM(encoding=3, lang="eng", desc="", text=labels.disclosure),
        id3.TCOP(encoding=3, text=labels.license),
        id3.TSSE(encoding=3, text=TOOL),
        *(id3.TXXX(encoding=3, desc=name, text=value) for name, value in (*loudness, *labels.plain())),
    ]
    if labels.tempo_bpm:
        frames.append(id3.TBPM(encoding=3, text=str(round(labels.tempo_bpm))))
    for frame in frames:
        tags.add(frame)
    buffer = io.BytesIO(data)
    tags.save(buffer, padding=_no_padding)
    return buffer.getvalue()


def with_atoms(data: bytes, labels: Labels | None, loudness: Pairs) -> bytes:
    """An m4a file with iTunes atoms; names that iTunes does not have go into free-form atoms."""
    if labels is None:
        return data
    buffer = io.BytesIO(data)
    file = mp4.MP4(buffer)
    if file.tags is None:
        file.add_tags()
    file.tags["\xa9nam"] = [labels.title]
    file.tags["\xa9alb"] = [labels.project]
    file.tags["\xa9cmt"] = [labels.disclosure]
    file.tags["\xa9too"] = [TOOL]
    file.tags["cprt"] = [labels.license]
    file.tags["trkn"] = [(labels.variation, 0)]
    if labels.tempo_bpm:
        file.tags["tmpo"] = [round(labels.tempo_bpm)]
    for name, value in (*((name.lower(), value) for name, value in loudness), *labels.plain()):
        file.tags[f"----:com.apple.iTunes:{name}"] = [mp4.MP4FreeForm(value.encode())]
    buffer.seek(0)
    file.save(buffer, padding=_no_padding)
    return buffer.getvalue()


def labels_in(data: bytes, audio_format: str) -> Mapping[str, str]:
    """The names and values of `Labels.plain` in a wav or flac file; empty for a file without them."""
    try:
        return _ixml_labels(data) if audio_format == "wav" else _flac_labels(data)
    except (UsageError, MutagenError, ElementTree.ParseError):
        return {}


def _ixml_labels(data: bytes) -> Mapping[str, str]:
    xml = next((chunk.data for chunk in read_chunks(data) if chunk.id == "iXML"), b"<none/>")
    return {element.tag: element.text or "" for element in ElementTree.fromstring(xml).iterfind("USER/*")}


def _flac_labels(data: bytes) -> Mapping[str, str]:
    tags = FLAC(io.BytesIO(data)).tags
    return {name.upper(): value for name, value in tags or ()}
