"""Sound files of an export profile: made from the lossless file of each master, measured, and kept in the cache.

The cache is ``cache/exports/`` below the outputs: one sound file and one JSON file for each combination of a master's
file, settings, labels and signer. It is safe to delete; the next export makes the files again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import soundfile

from pipeline import __version__
from pipeline.audio import Clip, Loop, read
from pipeline.audio.decibel import level
from pipeline.catalog import Version
from pipeline.cpus import usable_cpus
from pipeline.credentials import DEVELOPMENT, available, configured
from pipeline.credentials.claim import claim_of
from pipeline.credentials.development import development_identity
from pipeline.credentials.signing import Signed, Signer
from pipeline.delivery import Content, Labels, at_rate, decode, encode, labels_in, labels_of, render
from pipeline.errors import CuesmithError, MasteringError, StoreError, UsageError
from pipeline.export.pack import ChosenFile, SoundFacts, StoredFile, delivered_files
from pipeline.formats import FORMATS, SIDECAR
from pipeline.manifest.spec import ExportProfile, ExportSettings
from pipeline.mastering.edits import to_channels
from pipeline.mastering.limiter import apply_gain
from pipeline.mastering.measure import measure
from pipeline.mastering.true_peak import true_peak
from pipeline.provenance import MasterRecord, MasterRow, master_records, name_of, signer_of
from pipeline.store import Missing, ObjectRef, Store, dump_record, read_record

_SCHEMA = "cuesmith.rendition/1"
_FOLDER = "cache/exports"
_LOSSLESS = tuple(name for name, row in FORMATS.items() if row.lossless)
_VERSION = 3
"""Rises when the same order would give another file."""
_CLOSE_DB = 0.01
"""How far a meter may read above a ceiling that the limiter kept."""
_LEVELS = tuple(step / 20 * 0.99 for step in range(21))
"""Compression levels that are tried for a bit rate; LAME refuses 1."""


@dataclass(frozen=True, slots=True)
class _Order:
    """One file to make."""

    source: ChosenFile
    settings: ExportSettings
    format: str
    ceiling_dbtp: float
    record: MasterRecord
    is_met: bool
    """Whether the lossless file itself has the settings."""
    signer: Signer | None = None
    """Signs the file; None for one without credentials."""

    @property
    def digest(self) -> str:
        """Names the file in the cache: equal orders give equal bytes."""
        facts: dict[str, Any] = {
            "cuesmith": __version__,
            "soundfile": soundfile.__version__,
            "libsndfile": soundfile.__libsndfile_version__,
            "source": self.source.sha256,
            "settings": asdict(self.settings),
            "format": self.format,
            "ceiling_dbtp": self.ceiling_dbtp,
            "labels": [_VERSION, self.record["digest"], self.source.row["bpm"], self.source.row["ucs"]],
            "signer": self.signer.name if self.signer else None,
            "loop": self.source.facts.loop,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def profile_files(
    store: Store, version: Version, profile: ExportProfile, formats: Sequence[str]
) -> list[ChosenFile]:
    """The file of each row with the settings of ``profile``; ``formats`` are those that the target imports.

    A delivered file that has the settings already is used as it is, with its signature. Raises `UsageError` if the
    target does not import the format of the profile or a master has no lossless file, `StoreError` if a record is lost,
    `MasteringError` if a file cannot have the bit rate or the ceiling.
    """
    for settings in profile.settings.values():
        if settings.format and settings.format not in formats:
            raise UsageError(
                f"profile {profile.name} makes {settings.format}, and this target imports {', '.join(formats)}; "
                "change the profile's format"
            )
    sources = delivered_files(store, version, _LOSSLESS)
    records = master_records(store, (row["master"] for row in version.masters))
    lost = [name_of(row) for row in version.masters if row["master"] not in records]
    if lost:
        raise StoreError(
            f"{len(lost)} masters have no record in {store.root}, the first is {lost[0]}; "
            "run `cuesmith verify --repair`"
        )
    orders = [_order(file, profile, records[file.row["master"]], formats) for file in sources]
    signer = _open_signer(order.source.row for order in orders if not order.is_met)
    if signer is not None:
        orders = [replace(order, signer=signer) if _may_sign(signer, order) else order for order in orders]
    with ThreadPoolExecutor(usable_cpus()) as pool:
        return list(pool.map(lambda order: _file(store, order), orders))


def _open_signer(rows: Iterable[MasterRow]) -> Signer | None:
    """What signs files made from the signed files of ``rows``; None if nothing can, or none of them is signed.

    Raises `MachineError` for an identity that cannot sign.
    """
    signers = {signer_of(row) for row in rows} - {None}
    if not signers or not available():
        return None
    identity = configured() or (development_identity() if DEVELOPMENT in signers else None)
    return Signer(identity) if identity else None


def _may_sign(signer: Signer, order: _Order) -> bool:
    """Whether ``signer`` signs the file: as its source is signed, and never for development in place of a studio."""
    signed_by = signer_of(order.source.row)
    return signed_by is not None and (signer.name != DEVELOPMENT or signed_by == DEVELOPMENT)


def _order(file: ChosenFile, profile: ExportProfile, record: MasterRecord, formats: Sequence[str]) -> _Order:
    row = file.row
    settings = profile.settings[row["kind"]]
    audio_format = settings.format or (file.format if file.format in formats else formats[0])
    ceiling = settings.true_peak_dbtp
    if ceiling is None:
        ceiling = record["mastering"]["true_peak_dbtp"]
    delivered = record["delivery"]["bit_depth"]
    is_met = (
        audio_format == file.format
        and settings.sample_rate_hz in (None, file.facts.sample_rate_hz)
        and settings.channels in (None, file.facts.channels)
        and settings.bit_depth in (None, delivered)
        and (file.facts.true_peak_dbtp is None or file.facts.true_peak_dbtp <= ceiling + _CLOSE_DB)
    )
    settings = replace(settings, bit_depth=settings.bit_depth or delivered)
    return _Order(file, settings, audio_format, ceiling, record, is_met)


def _file(store: Store, order: _Order) -> ChosenFile:
    """The file of ``order``: the delivered one, the cached one, or a new one."""
    if order.is_met:
        return order.source
    digest = order.digest
    key, record_key = f"{_FOLDER}/{digest}.{order.format}", f"{_FOLDER}/{digest}.json"
    try:
        value = read_record(store.backend.read(record_key), _SCHEMA, record_key)
        facts = SoundFacts(**value["facts"])
        files = [StoredFile(value["sha256"], value["size"], key)]
        files += [StoredFile(**value["sidecar"])] if value.get("sidecar") else []
        if all(store.backend.size(file.key) == file.size for file in files):
            return _made(order, facts, *files)
    except (Missing, CuesmithError, KeyError, TypeError):
        pass
    signed, facts = _encoded(store, order)
    sound = _written(store, key, signed.data)
    sidecar = _written(store, key + SIDECAR, signed.sidecar) if signed.sidecar is not None else None
    record = {"schema": _SCHEMA, "sha256": sound.sha256, "size": sound.size, "facts": asdict(facts)}
    record |= {"sidecar": asdict(sidecar)} if sidecar else {}
    store.backend.write(record_key, dump_record(record))
    return _made(order, facts, sound, sidecar)


def _written(store: Store, key: str, data: bytes) -> StoredFile:
    """A new file of the cache."""
    store.backend.write(key, data)
    return StoredFile(hashlib.sha256(data).hexdigest(), len(data), key)


def _made(
    order: _Order, facts: SoundFacts, sound: StoredFile, sidecar: StoredFile | None = None
) -> ChosenFile:
    """The file ``sound`` of the cache in place of the delivered one."""
    signed = order.signer is not None
    return replace(
        order.source, **asdict(sound), format=order.format, facts=facts, signed=signed, sidecar=sidecar
    )


def _encoded(store: Store, order: _Order) -> tuple[Signed, SoundFacts]:
    """A new file and its facts, measured on the decoded file."""
    settings, source = order.settings, order.source
    delivered = store.get(ObjectRef(source.sha256, f".{source.format}", source.size))
    clip = read(delivered)
    clip, _ = to_channels(clip, settings.channels or clip.channels)
    loop = Loop(*source.facts.loop) if source.facts.loop else None
    rate = FORMATS[order.format].rate_for(settings.sample_rate_hz or clip.rate)
    clip, loop = at_rate(clip, loop, rate)
    if FORMATS[order.format].lossless:
        peak = level(true_peak(clip, circular=loop == (0, clip.length)))
        if peak is not None and peak > order.ceiling_dbtp:
            clip = apply_gain(clip, order.ceiling_dbtp - peak)
    content = Content(settings.bit_depth or "24", loop, _labels(order, delivered), measure(clip))
    if settings.bit_rate_kbps is not None:
        content = replace(content, compression=_compression(clip, order, content))
    try:
        data = render(clip, order.format, content, ceiling_dbtp=order.ceiling_dbtp).data
    except MasteringError as error:
        raise MasteringError(f"{name_of(source.row)}: {error}") from error
    decoded = decode(data, order.format)
    measured, signed = measure(decoded), Signed(data, None)
    if order.signer is not None:
        claim = claim_of(order.record["manifest"]["project"], source.row)
        signed = order.signer.sign(data, FORMATS[order.format].suffix, claim)
    is_momentary = source.row["loudness_method"] == "momentary"
    loudness = measured.momentary_max_lufs if is_momentary else measured.integrated_lufs
    return signed, SoundFacts(
        decoded.rate,
        decoded.channels,
        decoded.length,
        (loop.start, min(loop.end, decoded.length)) if loop else None,
        None if loudness is None else round(loudness, 3),
        None if measured.true_peak_dbtp is None else round(measured.true_peak_dbtp, 3),
    )


def _labels(order: _Order, delivered: bytes) -> Labels:
    """The labels of the master's own files: ``delivered`` has the prompt unless it is private."""
    row, known = order.source.row, labels_in(delivered, order.source.format)
    asset, prompt = known.get("CUESMITH_ASSET", row["asset"]), row["prompt"] if "AI_PROMPT" in known else ""
    return labels_of(order.record, asset, prompt, row["bpm"], row["ucs"])


def _compression(clip: Clip, order: _Order, content: Content) -> float:
    """The lowest compression level with which the sound stays within the bit rate; headers do not count."""
    limit = (order.settings.bit_rate_kbps or 0.0) * 1000 / 8 * clip.seconds
    shortest = Clip(clip.samples[:, :1], clip.rate)
    bare = Content(content.depth)

    def size(step: int) -> int:
        tried = replace(bare, compression=_LEVELS[step])
        return len(encode(clip, order.format, tried)) - len(encode(shortest, order.format, tried))

    low, high = 0, len(_LEVELS) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if size(middle) <= limit else (middle + 1, high)
    if low == len(_LEVELS) - 1 and (smallest := size(low)) > limit:
        lowest = smallest * 8 / 1000 / clip.seconds
        raise MasteringError(
            f"{name_of(order.source.row)}: {order.format} needs {lowest:.0f} kbps or more at {clip.rate} Hz with "
            f"{clip.channels} channels; raise bit_rate, or lower sample_rate or channels in the export profile"
        )
    return _LEVELS[low]
