"""Makes the documents of a disclosure from a version's inventory and writes them into a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from pipeline.catalog import Catalog, Version
from pipeline.disclosure.attestation import statement
from pipeline.disclosure.bom import ml_bom
from pipeline.disclosure.inventory import Inventory, sound_files, statement_of, take_inventory
from pipeline.disclosure.legal import ADVICE, LEGAL_FACTS
from pipeline.errors import MachineError, UsageError
from pipeline.provenance import MasterRow, name_of, signer_of
from pipeline.store.disk import write_atomically

DISCLOSURE_SCHEMA = "cuesmith.disclosure/1"
_TEXTS = ("steam.md", "ai-act.md", "credits.md")


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What was written: the inventory and the names of the files."""

    inventory: Inventory
    files: tuple[str, ...]


def write_disclosure(catalog: Catalog, version: Version, folder: Path) -> Disclosure:
    """Write every document about ``version`` into ``folder``; other files there stay.

    Raises `UsageError` if ``folder`` is a file, `VerificationError` if a record of the version is missing or damaged,
    and `MachineError` if the folder cannot be written.
    """
    if folder.is_file():
        raise UsageError(f"{folder} is a file; give a folder: --to DIR")
    inventory = take_inventory(catalog, version)
    documents = {
        **{name: _text(name, inventory, version) for name in _TEXTS},
        "ml-bom.cdx.json": _json(ml_bom(inventory)),
        "provenance.intoto.json": _json(statement(catalog, version, inventory)),
        "disclosure.json": _json(_record(inventory, version)),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in documents.items():
            write_atomically(folder / name, text.encode())
    except OSError as error:
        raise MachineError(f"{folder}: {error.strerror}; give another folder with --to") from error
    return Disclosure(inventory, tuple(documents))


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _record(inventory: Inventory, version: Version) -> dict[str, Any]:
    """All facts of the disclosure as JSON, with one entry for each sound."""
    return {
        "schema": DISCLOSURE_SCHEMA,
        **asdict(inventory),
        "sounds": [_sound(row) for row in version.masters],
        "legal_facts": [fact._asdict() for fact in LEGAL_FACTS],
        "advice": ADVICE,
    }


def _sound(row: MasterRow) -> dict[str, Any]:
    return {
        "name": name_of(row),
        "catalog_id": row["master"],
        **statement_of(row),
        "model": row["model"],
        "revision": row["revision"],
        "license": row["license"],
        "signed_by": signer_of(row),
        "watermark": row.get("watermark"),
        "files": sound_files(row),
    }


def _watermark(row: MasterRow) -> str:
    return f"{row['watermark']['name']} {row['watermark']['message']}" if "watermark" in row else "none"


def _text(name: str, inventory: Inventory, version: Version) -> str:
    return (
        _templates()
        .get_template(f"{name}.j2")
        .render(
            inventory=inventory,
            sounds=[
                (name_of(row), statement_of(row), row["model"], _watermark(row)) for row in version.masters
            ],
            legal_facts=LEGAL_FACTS,
            advice=ADVICE,
        )
    )


@cache
def _templates() -> Environment:
    loader = FunctionLoader(lambda name: files("pipeline.disclosure").joinpath(name).read_text("utf-8"))
    environment = Environment(
        loader=loader,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cell": _cell, "counted": _counted, "listed": _listed}
    return environment


def _cell(text: object) -> str:
    """A text for one cell of a Markdown table.

    >>> _cell("a|b\\nc <i>")
    'a\\\\|b c &lt;i>'
    """
    return " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _counted(count: int, noun: str) -> str:
    """
    >>> _counted(1, "sound"), _counted(0, "sound")
    ('1 sound', '0 sounds')
    """
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _listed(names: list[str]) -> str:
    """
    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([part for part in (", ".join(names[:-1]), *names[-1:]) if part])
