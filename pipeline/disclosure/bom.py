"""The ML-BOM: a CycloneDX 1.7 document with the models, the software and the sounds of a version.

Source: CycloneDX 1.7 (ECMA-424), https://cyclonedx.org/docs/1.7/json/. It holds no clock time but the version's own, so
the same version always gives the same bytes.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from pipeline import __version__
from pipeline.disclosure.inventory import Amount, Inventory, ModelUse, WatermarkUse
from pipeline.licenses import LICENSES

_NAMESPACE = uuid.UUID("8c7c2b1e-0d35-5b0c-9b57-3f0c1a6f3d52")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NETWORK = "machine-learning-model"
_PACKAGES = {"numpy", "pyloudnorm", "scipy", "soundfile", "soxr", "torch"}
"""Names in the software of records that are packages of the Python Package Index."""
_NOT_SOFTWARE = {"machine", "gpu", "cuda", "melody_stems"}
"""Names there that are no software component of their own."""


def ml_bom(inventory: Inventory) -> dict[str, Any]:
    """The ML-BOM of a version as JSON."""
    models = [*map(_model, inventory.models), *map(_watermark, inventory.watermarks)]
    software = list(_software(inventory.software))
    root = f"sounds:{inventory.project}@{inventory.version}"
    identity = f"{inventory.project}\n{inventory.version}\n{inventory.created}\n{inventory.manifest_sha256}"
    amounts = {
        "sounds": inventory.total,
        "ai_generated": inventory.generated,
        "procedural": inventory.procedural,
    }
    properties = [item for name, amount in amounts.items() for item in _amount(f"cuesmith:{name}", amount)]
    markings = {
        "signed": inventory.signed,
        "signed_for_development": inventory.signed_for_development,
        "unsigned": inventory.unsigned,
        "without_watermark": inventory.unmarked,
    }
    properties += [_property(f"cuesmith:sounds:{name}", count) for name, count in markings.items()]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, identity)}",
        "version": 1,
        "metadata": {
            "timestamp": inventory.created,
            "tools": {
                "components": [{"type": "application", "name": "cuesmith", "version": __version__}],
            },
            "component": {
                "type": "data",
                "bom-ref": root,
                "name": inventory.project,
                "version": str(inventory.version),
                "description": "Finished sounds of a game.",
                "properties": properties,
            },
        },
        "components": [*models, *software],
        "dependencies": [
            {"ref": root, "dependsOn": [item["bom-ref"] for item in models]},
            *(
                {"ref": item["bom-ref"], "dependsOn": [part["bom-ref"] for part in software]}
                for item in models
            ),
        ],
    }


def model_uri(use: ModelUse) -> str:
    """A package URL for a model of the Hugging Face Hub with a pinned commit; else a name of Cuesmith's own."""
    hub = _hub_uri(use) if use.neural else None
    return hub or f"cuesmith:{quote(use.engine)}/{quote(use.model)}@{quote(use.revision)}"


def _hub_uri(use: ModelUse | WatermarkUse) -> str | None:
    if _HUB_ID.fullmatch(use.model) and _COMMIT.fullmatch(use.revision):
        return f"pkg:huggingface/{quote(use.model)}@{use.revision}"
    return None


def _component(
    use: ModelUse | WatermarkUse, kind: str, uri: str, properties: list[dict[str, str]]
) -> dict[str, Any]:
    """The component of a model; ``uri`` names it."""
    license = {"id": use.license} if use.license in LICENSES else {"name": use.license}
    component = {
        "type": kind,
        "bom-ref": uri,
        "name": use.model,
        "version": use.revision,
        "licenses": [{"license": license}],
        "properties": properties,
    }
    return component | ({"purl": uri} if uri.startswith("pkg:") else {})


def _model(use: ModelUse) -> dict[str, Any]:
    properties = [
        _property("cuesmith:engine", use.engine),
        _property("cuesmith:commercial", str(use.commercial).lower()),
        _property("cuesmith:placeholder", str(use.placeholder).lower()),
        _property("cuesmith:license:conditions", use.conditions),
        *_amount("cuesmith:made", use.amount),
    ]
    if not use.neural:
        return _component(use, "application", model_uri(use), properties)
    tasks = {"music": "text-to-music", "sfx": "text-to-audio"}
    card = {
        "modelParameters": {
            "task": ", ".join(tasks[kind] for kind in use.kinds),
            "inputs": [{"format": "text"}],
            "outputs": [{"format": "audio"}],
        },
        "considerations": {
            "useCases": [f"Made {use.amount.sounds} of the sounds of a game before its release."]
        },
    }
    return _component(use, _NETWORK, model_uri(use), properties) | {"modelCard": card}


def _watermark(use: WatermarkUse) -> dict[str, Any]:
    uri = _hub_uri(use) or f"watermark:{quote(use.model)}@{quote(use.revision)}"
    properties = [
        _property("cuesmith:watermark", use.name),
        _property("cuesmith:license:conditions", use.conditions),
        _property("cuesmith:marked", use.sounds),
        _property("cuesmith:marked:found", use.found),
    ]
    return _component(use, _NETWORK, uri, properties)


def _software(software: Mapping[str, tuple[str, ...]]) -> Iterable[dict[str, Any]]:
    for name, versions in software.items():
        for version in versions if name not in _NOT_SOFTWARE else ():
            component = {"type": "library", "bom-ref": f"software:{name}@{version}", "name": name}
            component["version"] = version
            if name in _PACKAGES:
                component["purl"] = f"pkg:pypi/{name}@{quote(version)}"
            yield component


def _amount(name: str, amount: Amount) -> list[dict[str, str]]:
    return [
        _property(name, amount.sounds),
        _property(f"{name}:files", amount.files),
        _property(f"{name}:seconds", f"{amount.seconds:g}"),
    ]


def _property(name: str, value: object) -> dict[str, str]:
    return {"name": name, "value": str(value)}
