"""The doctor command: what this machine can run, and how to fix what is missing."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Outputs
from flows.cli.output import command, one_line, print_json, print_stderr, print_table
from flows.cli.terminal import Column, paint
from pipeline import __version__
from pipeline.cpus import usable_cpus
from pipeline.errors import CuesmithError
from pipeline.generators import Diagnostic, Diagnostics, Engine, ModelStore, engine_names, find_engine

_LOW_GB = 5.0


@command
def doctor_command(outputs: Outputs = DEFAULT_OUTPUTS, as_json: AsJson = False) -> None:
    """Show what this machine can run and how to fix what is missing.

    Prints one line for each version, device with its memory, installed model and disk.
    """
    print_stderr("checking engines, devices, models and disks")
    engines, lines = _engines()
    stores = {engine.name: engine for engine in engines if isinstance(engine, ModelStore)}
    lines = [*_machine(), *_disks(list(stores.values()), outputs), *lines]
    for engine in engines:
        if isinstance(engine, Diagnostics):
            lines += engine.diagnostics()
    for name, store in stores.items():
        lines += _models(name, store)
    if as_json:
        print_json({"lines": [{"what": line.what, "found": line.found, "fix": line.fix} for line in lines]})
        return
    rows = [
        (
            paint("-", "missing") if line.fix else paint("ok"),
            line.what,
            one_line(line.found + (f"; {line.fix}" if line.fix else "")),
        )
        for line in lines
    ]
    width = max(len(line.what) for line in lines)
    print_table(rows, (Column(3), Column(width, gap=1), Column()))


def _engines() -> tuple[list[Engine], list[Diagnostic]]:
    """The installed engines, and a line for each that cannot be imported."""
    engines, lines = [], []
    for name in engine_names():
        try:
            engines.append(find_engine(name))
        except CuesmithError as error:
            lines.append(Diagnostic(name, "cannot be imported", str(error)))
    return engines, lines


def _machine() -> Iterator[Diagnostic]:
    yield Diagnostic("cuesmith", f"{__version__}, engines: {', '.join(engine_names())}")
    yield Diagnostic("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Diagnostic("cpu", f"{usable_cpus()} cores{_memory()}")


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return ""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return ""
    return f", {size / 2**30:.0f} GiB of memory"


def _disks(stores: Sequence[ModelStore], outputs: str) -> Iterator[Diagnostic]:
    roots = [store.models_folder() for store in stores]
    folders = [("models", root) for root in roots if not any(other in root.parents for other in roots)]
    folders += [("outputs", Path(outputs))] if "://" not in outputs else []
    for what, folder in folders:
        if folder.is_file():
            yield Diagnostic(f"disk for {what}", f"{folder} is a file", "give the path of a folder")
            continue
        existing = next(path for path in (folder, *folder.absolute().parents) if os.path.exists(path))
        free = shutil.disk_usage(existing).free / 1e9
        if not os.access(existing, os.W_OK | os.X_OK):
            fix: str | None = f"{existing} is read-only; make it writable, or choose another folder"
        else:
            fix = "free some disk space, or choose another folder" if free < _LOW_GB else None
        yield Diagnostic(f"disk for {what}", f"{free:.0f} GB free at {folder}", fix)


def _models(engine: str, store: ModelStore) -> Iterator[Diagnostic]:
    models, problems = store.verify_models()
    for model in models:
        verified = f"verified, {model.size / 1e9:.2f} GB, {model.revision[:19]}"
        yield Diagnostic(model.id, "damaged" if model.fault else verified, model.fault)
    for problem in problems:
        yield Diagnostic(f"models of {engine}", "cannot read a model", problem)
    if not models and not problems:
        words = f"cuesmith models list --engine {engine}; to download one: cuesmith models fetch --engine {engine}"
        yield Diagnostic(f"models of {engine}", "none installed", f"to see the models: {words}")
