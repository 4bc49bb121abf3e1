"""The doctor command: what this machine can run, and how to fix what is missing."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import typer

from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Outputs
from flows.cli.output import command, one_line, print_json, print_stdout
from pipeline import __version__
from pipeline.cpus import usable_cpus
from pipeline.errors import CuesmithError
from pipeline.generators import engine_names
from pipeline.generators.audiocraft import model_store

_LOW_GB = 5.0

Line = tuple[str, str, str | None]
"""What was checked, the result, and the fix; None if all is well."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("doctor")(doctor)


@command
def doctor(outputs: Outputs = DEFAULT_OUTPUTS, as_json: AsJson = False) -> None:
    """Show what this machine can run and how to fix what is missing.

    Prints one line for each version, device with its memory, installed model and disk.
    """
    try:
        from pipeline.generators.audiocraft.probe import findings
    except (ImportError, OSError) as error:
        audiocraft = [_without_audiocraft(error)]
    else:
        audiocraft = [(one.what, one.found, one.fix) for one in findings()]
    lines = [*_machine(), *_disks(outputs), *audiocraft, *_models()]
    if as_json:
        print_json({"lines": [{"what": what, "found": found, "fix": fix} for what, found, fix in lines]})
        return
    width = max(len(what) for what, _, _ in lines)
    for what, found, fix in lines:
        text = one_line(found + (f"; {fix}" if fix else ""))
        print_stdout(f"{'-' if fix else 'ok':<3} {what:<{width}}  {text}")


def _machine() -> list[Line]:
    cores = usable_cpus()
    return [
        ("cuesmith", f"{__version__}, engines: {', '.join(engine_names())}", None),
        ("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}", None),
        ("cpu", f"{cores} cores{_memory()}", None),
    ]


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return ""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return ""
    return f", {size / 2**30:.0f} GiB of memory"


def _disks(outputs: str) -> list[Line]:
    places = [("models", model_store.root())] + ([("outputs", Path(outputs))] if "://" not in outputs else [])
    lines: list[Line] = []
    for what, folder in places:
        if folder.is_file():
            lines.append((f"disk for {what}", f"{folder} is a file", "give the path of a folder"))
            continue
        existing = next(path for path in (folder, *folder.absolute().parents) if os.path.exists(path))
        free = shutil.disk_usage(existing).free / 1e9
        if not os.access(existing, os.W_OK | os.X_OK):
            fix: str | None = f"{existing} is read-only; make it writable, or choose another folder"
        else:
            fix = "free some disk space, or choose another folder" if free < _LOW_GB else None
        lines.append((f"disk for {what}", f"{free:.0f} GB free at {folder}", fix))
    return lines


def _without_audiocraft(error: ImportError | OSError) -> Line:
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        fix = "to generate with models, run: make setup-audiocraft (the sketch engine works without it)"
        return ("audiocraft", "not installed", fix)
    return ("audiocraft", f"cannot be imported: {error}", "run: make setup-audiocraft")


def _models() -> list[Line]:
    lines: list[Line] = []
    here, faults = model_store.all_stored()
    for stored in here:
        try:
            model_store.verify(stored)
            lines.append((stored.name, f"verified, {stored.size / 1e9:.2f} GB, {stored.revision[:19]}", None))
        except CuesmithError as error:
            lines.append((stored.name, "damaged", str(error)))
    lines += [("models", "cannot read a model", str(fault)) for fault in faults]
    if not lines:
        lines.append(
            ("models", "none installed", "download one: cuesmith models fetch facebook/musicgen-small")
        )
    return lines
