"""The provenance of a version: an in-toto Statement v1 with the predicate SLSA Provenance v1, not signed.

Its subjects are all delivered files with their SHA-256. Sources: https://in-toto.io/Statement/v1 and
https://slsa.dev/spec/v1.0/provenance.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.catalog import Catalog, Version
from pipeline.catalog.version import read_texts
from pipeline.disclosure.bom import model_uri
from pipeline.disclosure.inventory import Inventory
from pipeline.errors import FormatError, StoreError
from pipeline.store import ObjectJson

_BUILD_TYPE = "https://cuesmith.org/build/v1"
_BUILDER = "https://cuesmith.org/builder/v1"
_COMMIT = re.compile(r"[0-9a-f]{40}")


def statement(catalog: Catalog, version: Version, inventory: Inventory) -> dict[str, Any]:
    """The statement about ``version`` as JSON. Raises `VerificationError` if the text of its manifest is damaged."""
    files = {path: item for row in version.masters for path, item in row["files"].items()}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": path, "digest": {"sha256": item["sha256"]}} for path, item in sorted(files.items())
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {
                    "manifest": inventory.manifest,
                    "profile": inventory.profile or "",
                    "project": inventory.project,
                },
                "internalParameters": {
                    "version": version.number,
                    "parent": version.parent or 0,
                    "manifestSha256": inventory.manifest_sha256,
                },
                "resolvedDependencies": [
                    *_manifest_files(catalog, version),
                    *_commits(inventory),
                    *_models(inventory),
                ],
            },
            "runDetails": {
                "builder": {
                    "id": _BUILDER,
                    "version": {name: ", ".join(versions) for name, versions in inventory.software.items()},
                },
                "metadata": {"invocationId": inventory.run, "finishedOn": inventory.created},
                "byproducts": _byproducts(catalog.recorded_files(version.number), version.number),
            },
        },
    }


def _manifest_files(catalog: Catalog, version: Version) -> Iterable[dict[str, Any]]:
    """Each file of the manifest; none for a version of a release that did not store them."""
    try:
        texts = read_texts(catalog.store, version)
    except FormatError:
        raise
    except StoreError:
        return
    for text in texts:
        name = text.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        yield {"name": name, "digest": {"sha256": hashlib.sha256(text.data).hexdigest()}}


def _commits(inventory: Inventory) -> Iterable[dict[str, Any]]:
    """Commits of the manifest's repository; one with changes beside it says so."""
    for commit in inventory.commits:
        sha1, _, changes = commit.partition("+")
        if _COMMIT.fullmatch(sha1):
            entry: dict[str, Any] = {"name": "repository of the manifest", "digest": {"gitCommit": sha1}}
            if changes:
                entry["annotations"] = {"uncommittedChanges": True}
            yield entry


def _models(inventory: Inventory) -> Iterable[dict[str, Any]]:
    for use in inventory.models:
        entry: dict[str, Any] = {"uri": model_uri(use), "name": use.model}
        if _COMMIT.fullmatch(use.revision):
            entry["digest"] = {"gitCommit": use.revision}
        entry["annotations"] = {"engine": use.engine, "license": use.license, "sounds": use.amount.sounds}
        yield entry


def _byproducts(files: Mapping[str, ObjectJson], number: int) -> list[dict[str, Any]]:
    """The files of the version in the catalog."""
    return [
        {"name": f"catalog/{number:06d}/{name}", "digest": {"sha256": item["sha256"]}}
        for name, item in sorted(files.items())
    ]
