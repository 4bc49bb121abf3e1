"""One export: a version of the catalog into a folder, for one target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.catalog import Catalog, Version
from pipeline.errors import MachineError, StoreError, UsageError
from pipeline.export.folder import Changes, Item, read_ledger, update_folder
from pipeline.export.pack import PACK_FILE, ChosenFile, Pack, StoredFile, build_pack, delivered_files
from pipeline.export.targets import TARGETS, Target
from pipeline.manifest.spec import ExportProfile
from pipeline.store import Store
from pipeline.store.disk import is_read_only

_WAIT_SECONDS = 600.0
_LARGEST_SHOWN = 3

ProfileFiles = Callable[[Store, Version, ExportProfile, Sequence[str]], list[ChosenFile]]
"""Makes the files of a profile: `pipeline.export.encoding.profile_files`."""


class Encoding(NamedTuple):
    """A profile, and what makes its files: an export without a profile imports no encoder."""

    profile: ExportProfile
    make: ProfileFiles


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export made."""

    folder: Path
    pack: Pack
    changes: Changes

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "target": self.pack.target,
            "version": self.pack.version,
            "profile": self.pack.profile,
            "folder": str(self.folder),
            "written": list(self.changes.written),
            "removed": list(self.changes.removed),
            "kept": list(self.changes.kept),
            "unchanged": self.changes.unchanged,
            "bytes": self.pack.size,
            "sizes": self.pack.sizes,
            "missing": len(self.pack.missing),
        }


def find_target(name: str) -> Target:
    """The target ``name``. Raises `UsageError` for an unknown one."""
    if name not in TARGETS:
        raise UsageError(f"unknown target {name!r}; available: {', '.join(TARGETS)}")
    return TARGETS[name]


def export_version(
    catalog: Catalog, version: Version, target: Target, folder: Path, encoding: Encoding | None = None
) -> ExportResult:
    """Make ``folder`` hold ``version`` for ``target``; change only what differs.

    Raises `UsageError` for a folder that cannot be used or a sound without a file that the target imports,
    `StoreError` if the sounds are larger than the profile allows. The folder is then as it was before.
    """
    store = catalog.store
    objects = store.backend.local_path("store")
    root = _checked(folder, objects and objects.parent)
    with _locked(store):
        ledger = read_ledger(root, target.name)
        if encoding is None:
            chosen, profile = delivered_files(store, version, target.formats), None
        else:
            profile = encoding.profile
            chosen = encoding.make(store, version, profile, target.formats)
        pack = build_pack(
            version,
            target.name,
            profile.name if profile else None,
            chosen,
            ledger.names,
            variations_are_objects=target.variations_are_objects,
        )
        if profile is not None:
            _check_size(pack, profile)
        sounds: dict[str, StoredFile] = {file.path: file.chosen for file in pack.files}
        sounds |= {file.sidecar_path: file.chosen.sidecar for file in pack.files if file.chosen.sidecar}
        files: Mapping[str, Item] = {
            **{path: Item(file.sha256, file.size, file.key) for path, file in sounds.items()},
            **target.files(pack),
            PACK_FILE: Item.of(pack.to_bytes()),
        }
        changes = update_folder(store, root, files, replace(ledger, names=pack.names))
    return ExportResult(root, pack, changes)


@contextmanager
def _locked(store: Store) -> Iterator[None]:
    """Keep `gc` and other exports away; a store that this account cannot write has no locks, and is read without."""
    with ExitStack() as locks:
        try:
            locks.enter_context(store.shared(_WAIT_SECONDS))
            locks.enter_context(store.backend.lock("exports", _WAIT_SECONDS))
        except MachineError as error:
            if not is_read_only(error):
                raise
        yield


def _checked(folder: Path, outputs: Path | None) -> Path:
    """The folder with its links followed. Raises `UsageError` for a file, and for a folder in or around the outputs."""
    root = folder.resolve()
    if root.exists() and not root.is_dir():
        raise UsageError(f"{folder} is a file; give a folder: --to DIR")
    if outputs is not None:
        own = outputs.resolve()
        if root == own or own in root.parents or root in own.parents:
            raise UsageError(
                f"{folder} is in or around the outputs folder {outputs}; give another folder: --to DIR"
            )
    return root


def _check_size(pack: Pack, profile: ExportProfile) -> None:
    if profile.size_bytes is None or pack.size <= profile.size_bytes:
        return
    largest: Sequence[dict[str, Any]] = sorted(pack.sizes, key=lambda row: -row["bytes"])[:_LARGEST_SHOWN]
    folders = ", ".join(f"{row['folder']} {row['bytes'] / 1e6:.2f} MB" for row in largest)
    raise StoreError(
        f"the sounds need {pack.size / 1e6:.2f} MB and profile {profile.name} allows {profile.size_bytes / 1e6:g} MB; "
        f"the largest folders: {folders}; lower bit_rate, sample_rate or channels, or raise size"
    )
