"""A pack: what every export target needs to know of a version, and its neutral form ``pack.json``.

`build_pack` chooses a file for each sound of a version, finds its length and loop points, and gives it names and ids.
An id is a hash of project, asset and variation: it survives a re-roll, another format, another folder, and a rename
that the manifest tells with ``was``. Names survive too, because the ledger of the folder keeps them. `docs/export.md`
describes ``pack.json``, and a JSON Schema beside it.
"""

from __future__ import annotations

import io
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import soundfile

from pipeline.catalog import Version
from pipeline.errors import UsageError, VerificationError
from pipeline.export.names import file_stem, object_name, unique_names, variation_name
from pipeline.formats import FORMATS, SIDECAR, format_of
from pipeline.manifest.problems import list_names
from pipeline.provenance import MasterRow, ObjectJson, disclosure, master_records, name_of, signer_of
from pipeline.store import ObjectRef, Store

PACK_FILE = "pack.json"
PACK_SCHEMA = "cuesmith.pack/1"
_IDS = uuid.UUID("7c8d7f6e-1f0b-5b0e-9a55-6f1d3c2b4a10")


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """What a file holds, as players read it."""

    sample_rate_hz: int
    channels: int
    samples: int
    """Length of the decoded file in samples of one channel."""
    loop: Sequence[int] | None
    """Start and end (exclusive) in samples of this file."""
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    """Of the decoded file; None where it is unknown."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file whose bytes are in the store or in the cache."""

    sha256: str
    size: int
    key: str
    """Of the bytes in the store."""

    @classmethod
    def of(cls, item: ObjectJson) -> StoredFile:
        """A file of a version."""
        return cls(item["sha256"], item["size"], ObjectRef.from_json(item).key)


@dataclass(frozen=True, slots=True)
class ChosenFile(StoredFile):
    """The file of one variation, before it has a name."""

    row: MasterRow
    format: str
    stem: str
    """Path in the library without the ending."""
    facts: SoundFacts
    signed: bool
    """Whether the file has Content Credentials, in it or in its sidecar."""
    sidecar: StoredFile | None = None
    """The file with the Content Credentials of a sound whose format cannot hold them."""


@dataclass(frozen=True, slots=True)
class _EngineObject:
    """What an engine knows under a name of its own."""

    name: str
    """Of a sound with its folders, of a file without."""
    id: str
    """32 hexadecimal digits: the GUID in Unity, the base of the UID in Godot."""


@dataclass(frozen=True, slots=True)
class PackFile(_EngineObject):
    """One variation of a sound, as a file of the pack."""

    chosen: ChosenFile
    path: str
    """Below the folder, with ``/``."""

    @property
    def facts(self) -> SoundFacts:
        """What the file holds."""
        return self.chosen.facts

    @property
    def variation(self) -> int:
        """Number of the variation, from 1."""
        return self.chosen.row["variation"]

    @property
    def sidecar_path(self) -> str:
        """Where its sidecar is, if it has one."""
        return self.path + SIDECAR

    @property
    def lost_signature(self) -> bool:
        """Whether it has no Content Credentials, although the version's file is signed."""
        return not self.chosen.signed and signer_of(self.chosen.row) is not None

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.facts.samples / self.facts.sample_rate_hz

    def to_json(self) -> dict[str, Any]:
        """The file in ``pack.json``."""
        row, facts = self.chosen.row, self.facts
        loop = None if facts.loop is None else {"start": facts.loop[0], "end": facts.loop[1]}
        sidecar = self.chosen.sidecar
        beside = sidecar and {"path": self.sidecar_path, "size": sidecar.size, "sha256": sidecar.sha256}
        model = disclosure(neural=row["neural"], engine=row["engine"], model=row["model"])
        return {
            "variation": self.variation,
            "path": self.path,
            "name": self.name,
            "id": self.id,
            "format": self.chosen.format,
            "size": self.chosen.size,
            "sha256": self.chosen.sha256,
            "sample_rate_hz": facts.sample_rate_hz,
            "channels": facts.channels,
            "samples": facts.samples,
            "seconds": round(self.seconds, 6),
            "loop": loop,
            "loudness_lufs": facts.loudness_lufs,
            "loudness_method": row["loudness_method"],
            "true_peak_dbtp": facts.true_peak_dbtp,
            "license": row["license"],
            "commercial": row["commercial"],
            "generated": row["neural"],
            "disclosure": model["statement"],
            "signed": self.chosen.signed,
            **({"credentials": beside} if beside else {}),
            "status": row["status"],
            "master": row["master"],
        }


@dataclass(frozen=True, slots=True)
class PackSound(_EngineObject):
    """A sound of the game: an asset, with a file for each variation. Engines play one at random."""

    asset: str
    """The asset's id."""
    files: tuple[PackFile, ...]
    """By variation; at least one."""

    @property
    def row(self) -> MasterRow:
        """A row with the facts that all variations share: kind, tags, tempo."""
        return self.files[0].chosen.row

    @property
    def loops(self) -> bool:
        """Whether the sound repeats."""
        return self.files[0].facts.loop is not None

    @property
    def is_pool(self) -> bool:
        """Whether there is more than one variation."""
        return len(self.files) > 1

    def to_json(self) -> dict[str, Any]:
        """The sound in ``pack.json``."""
        row = self.row
        return {
            "id": self.asset,
            "name": self.name,
            "guid": self.id,
            "kind": row["kind"],
            "tags": row["tags"],
            "tempo_bpm": row["bpm"],
            "loop": self.loops,
            "ucs": row["ucs"],
            "files": [file.to_json() for file in self.files],
        }


@dataclass(frozen=True)
class Pack:
    """The sounds of one version for one target."""

    project: str
    version: int
    target: str
    profile: str | None
    sounds: tuple[PackSound, ...]
    """By asset id."""
    missing: tuple[Mapping[str, Any], ...]
    """Variations of the manifest without a master."""
    names: Mapping[str, str]
    """What the ledger keeps: the name of each sound by asset, the one without folders by ``asset#``, the stem of each
    file by ``asset#variation``."""

    @property
    def id(self) -> str:
        """32 hexadecimal digits: the same for every version of the project."""
        return _id(self.project, PACK_FILE)

    @property
    def files(self) -> Iterator[PackFile]:
        """Every file, by asset and variation."""
        return (file for sound in self.sounds for file in sound.files)

    @cached_property
    def flat_names(self) -> Mapping[str, str]:
        """A name without folders for each asset, unique without letter case: of events and rows of tables."""
        return {sound.asset: self.names[_flat(sound.asset)] for sound in self.sounds}

    @cached_property
    def sizes(self) -> list[dict[str, Any]]:
        """Number and bytes of the files in each folder, sorted by folder."""
        bytes_, counts = Counter[str](), Counter[str]()
        for file in self.files:
            folder = file.path.rpartition("/")[0] or "."
            bytes_[folder] += file.chosen.size
            counts[folder] += 1
        return [{"folder": name, "files": counts[name], "bytes": bytes_[name]} for name in sorted(counts)]

    @property
    def size(self) -> int:
        """Bytes of all sound files."""
        return sum(row["bytes"] for row in self.sizes)

    def to_bytes(self) -> bytes:
        """``pack.json``; the same version and settings give the same bytes."""
        head = {
            "schema": PACK_SCHEMA,
            "project": self.project,
            "version": self.version,
            "target": self.target,
            "profile": self.profile,
            "bytes": self.size,
            "sizes": self.sizes,
            "missing": [
                {key: row[key] for key in ("asset", "variation", "code", "reason")} for row in self.missing
            ],
        }
        sounds = ",\n".join(json.dumps(sound.to_json(), ensure_ascii=False) for sound in self.sounds)
        return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "sounds": [\n{sounds}\n]}}\n'.encode()


def delivered_files(store: Store, version: Version, formats: Sequence[str]) -> list[ChosenFile]:
    """The delivered file of each row in the first of ``formats`` that it has.

    Raises `UsageError` if a sound has no file in any of them, `VerificationError` if a file is damaged.
    """
    chosen = [(row, found) for row in version.masters if (found := _delivered(row, formats))]
    if len(chosen) < len(version.masters):
        lacking = [name_of(row) for row in version.masters if not _delivered(row, formats)]
        named = list_names(lacking, limit=8)
        raise UsageError(
            f"{len(lacking)} sounds have no file in {', '.join(formats)}: {named}; add one of these to "
            "formats in the manifest and build, or export with a profile that sets format"
        )
    lossy = [row["master"] for row, (_, _, name) in chosen if not FORMATS[name].lossless]
    records = master_records(store, lossy)
    files = []
    for row, (path, item, name) in chosen:
        renditions = records[row["master"]]["renditions"] if row["master"] in records else []
        made = next((made for made in renditions if made["format"] == name), None)
        loudness, peak = row["loudness_lufs"], row["true_peak_dbtp"]
        if not FORMATS[name].lossless:
            peak = made["decoded_true_peak_dbtp"] if made else None
            loudness = None if loudness is None or made is None else round(loudness - made["lowered_db"], 3)
        ref = ObjectRef.from_json(item)
        facts = _facts(store, ref, row, (loudness, peak))
        beside = row["files"].get(path + SIDECAR)
        sidecar = StoredFile.of(beside) if beside else None
        has_credentials = FORMATS[name].holds_credentials or sidecar is not None
        signed = has_credentials and signer_of(row) is not None
        stem = path[: -len(item["suffix"])]
        files.append(
            ChosenFile(item["sha256"], item["size"], ref.key, row, name, stem, facts, signed, sidecar)
        )
    return files


def _delivered(row: MasterRow, formats: Sequence[str]) -> tuple[str, ObjectJson, str] | None:
    """Path, object and format of the row's first file in ``formats``."""
    by_format = {
        row_format.name: (path, item, row_format.name)
        for path, item in row["files"].items()
        if (row_format := format_of(item["suffix"])) and path.endswith(item["suffix"])
    }
    return next((by_format[name] for name in formats if name in by_format), None)


def _facts(
    store: Store, ref: ObjectRef, row: MasterRow, levels: tuple[float | None, float | None]
) -> SoundFacts:
    """The facts of a delivered file: those of its master, or of its own header if the coding is lossy."""
    samples, rate = round(row["seconds"] * row["sample_rate_hz"]), row["sample_rate_hz"]
    channels = row["channels"]
    if not FORMATS[ref.suffix.removeprefix(".")].lossless:
        path = store.path(ref)
        try:
            info = soundfile.info(str(path) if path and path.is_file() else io.BytesIO(store.get(ref)))
        except soundfile.LibsndfileError as error:
            raise VerificationError(
                f"{store.root}/{ref.key} is damaged: {error}; run `cuesmith verify --repair`, then export again"
            ) from error
        samples, rate, channels = info.frames, info.samplerate, info.channels
    return SoundFacts(rate, channels, samples, loop_at(row, rate, samples), *levels)


def loop_at(row: MasterRow, rate: int, samples: int) -> tuple[int, int] | None:
    """The row's loop points in a file of ``samples`` at ``rate`` Hz."""
    if row["loop"] is None:
        return None
    start, end = row["loop"]
    length = round(row["seconds"] * row["sample_rate_hz"])
    scale = rate / row["sample_rate_hz"]
    return round(start * scale), samples if end >= length else min(samples, round(end * scale))


def build_pack(
    version: Version,
    target: str,
    profile: str | None,
    files: Iterable[ChosenFile],
    kept: Mapping[str, str],
    *,
    variations_are_objects: bool = False,
) -> Pack:
    """The pack of ``files``. ``kept`` are the names of an earlier export into the same folder.

    With ``variations_are_objects`` no sound has the name of another sound's variation.
    """
    by_asset: dict[str, list[ChosenFile]] = {}
    for file in files:
        by_asset.setdefault(file.row["asset"], []).append(file)
    numbers = {asset: [file.row["variation"] for file in listed] for asset, listed in by_asset.items()}
    names = unique_names(
        {asset: object_name(asset) for asset in by_asset}, kept, numbers if variations_are_objects else None
    )
    flat = unique_names(
        {asset: name.replace("/", "_") for asset, name in names.items()},
        # A ledger of an older release has no names without folders.
        {asset: kept.get(_flat(asset), kept[asset].replace("/", "_")) for asset in names if asset in kept},
    )
    stems = unique_names(
        {_place(file): file_stem(file.stem) for listed in by_asset.values() for file in listed}, kept
    )
    sounds = []
    for asset, listed in sorted(by_asset.items()):
        origin = listed[0].row.get("origin", asset)
        # A new asset may have taken the earlier id after ``was`` left the manifest.
        origin = asset if origin in by_asset else origin
        short = names[asset].rpartition("/")[2]
        made = tuple(
            PackFile(
                variation_name(short, file.row["variation"]),
                _id(version.project, f"{origin}#{file.row['variation']}"),
                file,
                f"{stems[_place(file)]}.{file.format}",
            )
            for file in sorted(listed, key=lambda file: file.row["variation"])
        )
        sounds.append(PackSound(names[asset], _id(version.project, origin), asset, made))
    missing = tuple(dict(row) for row in version.missing)
    known = names | {_flat(asset): name for asset, name in flat.items()} | stems
    return Pack(version.project, version.number, target, profile, tuple(sounds), missing, known)


def _flat(asset: str) -> str:
    """The key of a sound's name without folders."""
    return f"{asset}#"


def _place(file: ChosenFile) -> str:
    """The key of a file's name: no asset id contains ``#``."""
    return f"{file.row['asset']}#{file.row['variation']}"


def _id(project: str, place: str) -> str:
    return uuid.uuid5(_IDS, f"{project}/{place}").hex
