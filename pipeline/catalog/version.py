"""One catalog version, the text of its manifest, and what is quarantined beside it: values and their files.

``catalog/000042/catalog.json`` is one JSON object: a header with the reasons of all changes, then one master on each
line. Its ``schema`` is ``cuesmith.catalog/2``.

``catalog/000042/manifest.json`` holds the manifest and every file that it includes. Names and texts are stored as
they are if they are UTF-8, and as base64 otherwise. Together they give the ``sha256`` in ``catalog.json``.

``catalog/quarantine.json`` is the state after the last build: one row for each variation whose newest master failed a
quality gate. It is beside the versions because ``gc`` never deletes what the catalog names.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple, NotRequired, TypedDict

from pipeline.catalog.channels import Channels
from pipeline.errors import FormatError, StoreError, VerificationError
from pipeline.licenses import LicenseDeclaration
from pipeline.manifest.spec import ManifestText, sha256_of
from pipeline.provenance import MasterRow, MissingRow, place_of
from pipeline.provenance.clock import utc
from pipeline.store import (
    Missing,
    ObjectRef,
    Store,
    check_schema,
    dump_record,
    parse_object,
    read_record,
    shape_fault,
)

CATALOG_SCHEMA = "cuesmith.catalog/2"
_FORBIDDEN = re.compile(r"[\\:\x00-\x1f]")
Place = tuple[str, int]
"""Asset id and variation."""


class BuildFacts(NamedTuple):
    """The build that publishes a version or changes the quarantine: fields of both, in the order of their files."""

    project: str
    created: str
    """UTC, ISO 8601."""
    run: str
    manifest: Mapping[str, Any]
    """``file``, ``sha256`` and ``profile``."""


class ReleaseRules(NamedTuple):
    """What a manifest tells the release gate."""

    promotion: Mapping[str, Sequence[str]] = MappingProxyType({})
    """Reasons that do not count, by channel."""
    license: LicenseDeclaration | None = None
    """What the studio declares about itself."""
    policy: Mapping[str, Any] = MappingProxyType({})
    """The prompt policy, in the form of `pipeline.manifest.policy.Policy.from_json`."""


@dataclass(frozen=True)
class Version:
    """The immutable record of every master after a build."""

    number: int
    parent: int | None
    project: str
    created: str
    """UTC, ISO 8601."""
    run: str
    manifest: Mapping[str, Any]
    """``file``, ``sha256`` and ``profile`` of the build that published it."""
    masters: tuple[MasterRow, ...] = field(repr=False)
    """Sorted by asset and variation."""
    missing: tuple[MissingRow, ...] = field(repr=False)
    """Variations of the manifest without a master, sorted likewise."""
    promotion: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Reasons of the release gate that the manifest allows, by channel."""
    license: LicenseDeclaration | None = None
    """What the manifest declares about the studio."""
    policy: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The prompt policy of the manifest, in the form of `pipeline.manifest.policy.Policy.from_json`."""
    reasons: Mapping[Place, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """Why rows differ from those of the version before; empty for the first version."""

    @cached_property
    def by_variation(self) -> Mapping[Place, MasterRow]:
        """Rows by asset id and variation."""
        return {place_of(row): row for row in self.masters}

    def same_masters(self, masters: tuple[MasterRow, ...]) -> bool:
        """Whether this version has the same ``masters``, wherever the manifest defines them."""
        return len(self.masters) == len(masters) and all(map(_same, self.masters, masters))

    def same_gaps(self, missing: tuple[MissingRow, ...], rules: ReleaseRules) -> bool:
        """Whether this version has the same missing variations and release rules, whatever its masters."""
        same_rules = (self.promotion, self.license, self.policy) == rules
        return same_rules and set(map(_gap, self.missing)) == set(map(_gap, missing))

    def to_bytes(self) -> bytes:
        """The file's bytes, UTF-8."""
        header: dict[str, Any] = {
            "schema": CATALOG_SCHEMA,
            "version": self.number,
            "parent": self.parent,
            **{name: getattr(self, name) for name in BuildFacts._fields},
        }
        if self.parent is not None:
            header["reasons"] = [[*place, list(words)] for place, words in sorted(self.reasons.items())]
        header["missing"] = list(self.missing)
        if self.promotion:
            header["promotion"] = {channel: list(allowed) for channel, allowed in self.promotion.items()}
        if self.license:
            header["license"] = self.license.to_json()
        if self.policy:
            header["policy"] = dict(self.policy)
        rows = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in self.masters)
        return (json.dumps(header, ensure_ascii=False)[:-1] + ', "masters": [\n' + rows + "\n]}\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, place: str, *, proven: bool = False) -> Version:
        """Read the form of `to_bytes`. Raises `FormatError` that names the file ``place``.

        ``proven``: the hash of ``data`` is known, so its values are not checked again.
        """
        try:
            value = parse_object(data)
            check_schema(value, CATALOG_SCHEMA, place)
            if not proven and (fault := _fault(value)) is not None:
                raise ValueError(fault)
        except ValueError as error:
            raise FormatError(
                f"{place}: not a catalog: {error}; repair it: cuesmith verify --repair"
            ) from error
        return cls(
            value["version"],
            value["parent"],
            *_build_facts(value),
            masters=tuple(value["masters"]),
            reasons={
                (asset, variation): tuple(words) for asset, variation, words in value.get("reasons", ())
            },
            missing=tuple(value["missing"]),
            promotion=value.get("promotion", {}),
            license=LicenseDeclaration.from_json(value["license"]) if "license" in value else None,
            policy=value.get("policy", {}),
        )


def _build_facts(value: Mapping[str, Any]) -> BuildFacts:
    """The build in a stored version or in the stored quarantine."""
    return BuildFacts(*(value[name] for name in BuildFacts._fields))


class ManifestJson(TypedDict):
    """The manifest that a version was built from."""

    file: str
    sha256: str
    profile: str | None


class DeclarationJson(TypedDict):
    """What the manifest declares about the studio: see `LicenseDeclaration`."""

    commercial: bool
    revenue_below_usd: NotRequired[int]


class RuleJson(TypedDict):
    """One rule of a prompt policy."""

    words: NotRequired[list[str]]
    patterns: NotRequired[list[str]]
    reason: str


class ExceptionJson(TypedDict):
    """One exception of a prompt policy."""

    words: list[str]
    assets: list[str]
    by: str
    reason: str


class PolicyJson(TypedDict):
    """A prompt policy as the catalog stores it."""

    forbid: NotRequired[list[RuleJson]]
    warn: NotRequired[list[RuleJson]]
    exceptions: NotRequired[list[ExceptionJson]]


class _CatalogJson(TypedDict):
    version: int
    parent: int | None
    project: str
    created: str
    run: str
    manifest: ManifestJson
    masters: list[MasterRow]
    reasons: NotRequired[list[Any]]
    """[asset, variation, reasons] of each row that differs from that of the version before."""
    missing: list[MissingRow]
    promotion: NotRequired[dict[str, list[str]]]
    license: NotRequired[DeclarationJson]
    policy: NotRequired[PolicyJson]


def _fault(value: dict[str, Any]) -> str | None:
    """What is wrong with a catalog's values; None if nothing is."""
    if (fault := shape_fault(value, _CatalogJson)) is not None:
        return fault
    try:
        utc(value["created"])
    except ValueError:
        return f"created: {value['created']!r} is not a time in ISO 8601"
    for entry in value.get("reasons", ()):
        match entry:
            case [str(), int(), [*words]] if all(isinstance(word, str) for word in words):
                continue
        return f"reasons: {entry!r} is not [asset, variation, reasons]"
    return rows_fault(value["masters"])


def rows_fault(rows: list[MasterRow]) -> str | None:
    """What is wrong with the values of rows: two rows of one variation, or files outside the library."""
    places: set[Place] = set()
    for row in rows:
        place = place_of(row)
        if place in places:
            return f"{row['asset']!r} variation {row['variation']} is there twice"
        places.add(place)
        fault = _files_fault(row) or ("waiting" in row and _files_fault(row["waiting"]))
        if fault:
            return fault
    return None


def _files_fault(row: MasterRow) -> str | None:
    unsigned = row["credentials"]["unsigned"] if "credentials" in row else {}
    for path, item in (*row["files"].items(), *unsigned.items(), (row["asset"], None)):
        if _FORBIDDEN.search(path) or {"", ".", ".."} & set(path.split("/")):
            return f"{path!r} is outside the library: it must be a relative path without '..'"
        if item is not None:
            try:
                ObjectRef.from_json(item)
            except FormatError as error:
                return f"{path}: {error}"
    return None


def _same(one: MasterRow, other: MasterRow) -> bool:
    return one is other or compared(one) == compared(other)


def compared(row: MasterRow) -> dict[str, Any]:
    """The fields of a row that are compared between versions: all but its place in the manifest."""
    return {key: value for key, value in row.items() if key != "source"}


def _gap(row: MissingRow) -> tuple[str, int, str, str]:
    return row["asset"], row["variation"], row["code"], row.get("master", "")


MANIFEST_SCHEMA = "cuesmith.manifest/1"
MANIFEST_FILE = "manifest.json"


def texts_bytes(texts: Iterable[ManifestText]) -> bytes:
    """The file's bytes."""
    files = [
        {"name": _packed(text.name.encode("utf-8", "surrogateescape")), "text": _packed(text.data)}
        for text in texts
    ]
    return dump_record({"schema": MANIFEST_SCHEMA, "files": files})


def read_texts(store: Store, version: Version) -> list[ManifestText]:
    """The manifest of ``version`` and the files that it includes; the manifest itself comes first.

    Raises `StoreError` if an older release published the version, and `VerificationError` if these are not the texts
    that it was built from.
    """
    key = f"catalog/{version.number:06d}/{MANIFEST_FILE}"
    try:
        record = read_record(store.backend.read(key), MANIFEST_SCHEMA, key)
    except Missing:
        raise StoreError(
            f"version {version.number} was published without the text of its manifest; later versions have it"
        ) from None
    try:
        texts = [
            ManifestText(_unpacked(item["name"]).decode("utf-8", "surrogateescape"), _unpacked(item["text"]))
            for item in record["files"]
        ]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise VerificationError(f"{key} is damaged: {error}; restore it from a backup") from error
    if sha256_of(texts) != version.manifest["sha256"]:
        raise VerificationError(
            f"{key} is damaged: it is not the text that version {version.number} was built from; "
            "restore it from a backup"
        )
    return texts


def _packed(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _unpacked(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])


QUARANTINE_SCHEMA = "cuesmith.quarantine/1"
QUARANTINE_KEY = "catalog/quarantine.json"


class _QuarantineJson(TypedDict):
    project: str
    created: str
    run: str
    manifest: ManifestJson
    masters: list[MasterRow]


def read_quarantine(store: Store) -> Version | None:
    """The quarantine as version 0 of the build that changed it last; None before a master failed a gate.

    The ``status`` of its masters is ``quarantined``, and ``reason`` names the gates that failed.

    Raises `FormatError` and `VerificationError` if the file is damaged.
    """
    try:
        value = read_record(
            store.backend.read(QUARANTINE_KEY), QUARANTINE_SCHEMA, QUARANTINE_KEY, _QuarantineJson
        )
    except Missing:
        return None
    if (fault := rows_fault(value["masters"])) is not None:
        raise VerificationError(
            f"{QUARANTINE_KEY} is damaged: {fault}; run `cuesmith verify --repair`, then build again"
        )
    return Version(0, None, *_build_facts(value), tuple(value["masters"]), ())


def quarantined_masters(store: Store) -> tuple[MasterRow, ...]:
    """The rows of the quarantine; none before the first build with a master that failed a gate."""
    quarantine = read_quarantine(store)
    return quarantine.masters if quarantine else ()


def update_quarantine(
    store: Store, rows: Iterable[MasterRow], carry: Callable[[str], bool], build: BuildFacts
) -> bool:
    """Replace the quarantined rows with ``rows``; rows of an asset stay if ``carry`` says so.

    Returns whether anything changed; only then does it write the file.
    """
    fresh = tuple(rows)

    def merged(before: tuple[MasterRow, ...]) -> tuple[MasterRow, ...]:
        carried = [row for row in before if carry(row["asset"])]
        return tuple(sorted([*fresh, *carried], key=place_of))

    before = quarantined_masters(store)
    if merged(before) == before:
        return False
    with Channels(store).lock() as fence:
        masters = list(merged(quarantined_masters(store)))
        record = {"schema": QUARANTINE_SCHEMA, **build._asdict(), "masters": masters}
        fence()
        store.backend.write(QUARANTINE_KEY, dump_record(record))
        return True
