"""Commands for the models of the audiocraft engine: models list, fetch, verify."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flows.cli.options import AsJson
from flows.cli.output import command, one_line, print_json, print_stderr, print_stdout
from pipeline.errors import CuesmithError, UsageError, VerificationError
from pipeline.generators.audiocraft import model_store
from pipeline.generators.audiocraft.models import HELPERS, LICENSE, MBD, PUBLISHED, Model, full_id

group = typer.Typer(
    help="List, fetch and verify the audiocraft engine's models.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(group, name="models")


@group.command("list")
@command
def list_models(as_json: AsJson = False) -> None:
    """List published and installed local models: what each makes, its licence, whether it is installed."""
    stored, faults = model_store.all_stored()
    here = {one.name: one for one in stored}
    rows = [_row(model, here.get(model.id)) for model in PUBLISHED]
    published = {model.id for model in PUBLISHED}
    rows += [_row(one.model, one) for one in stored if one.model and one.name not in published]
    decoder = _decoder(here.get(MBD))
    if as_json:
        print_json(
            {
                "store": str(model_store.root()),
                "models": rows,
                "decoders": [decoder],
                "problems": [str(fault) for fault in faults],
            }
        )
        return
    for row in rows:
        print_stdout(_line(row))
    print_stdout(
        f"{MBD:<40} decodes mono MusicGen (decoder: mbd)  {decoder['license']}  "
        f"{_revision(decoder)}  {_state(decoder)}"
    )
    for fault in faults:
        print_stderr(str(fault))
    print_stderr(f"model store: {model_store.root()}")


@group.command("fetch")
@command
def fetch_models(
    models: Annotated[list[str], typer.Argument(help="Model ids, such as facebook/musicgen-small.")],
    as_json: AsJson = False,
) -> None:
    """Download models at their pinned commit, check and convert them. Then builds need no network."""
    try:
        from pipeline.generators.audiocraft.fetching import fetch
    except ImportError as error:
        raise UsageError(
            f"the audiocraft engine is not installed ({error}); run: make setup-audiocraft"
        ) from error

    fetched = [stored for name in models for stored in fetch(name, print_stderr)]
    if as_json:
        print_json({"fetched": [_stored(stored) for stored in fetched]})
    else:
        print_stdout(f"{len(fetched)} models installed and verified in {model_store.root()}")


@group.command("verify")
@command
def verify_models(
    models: Annotated[
        list[str] | None, typer.Argument(help="Model ids. Default: all installed models.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every file of the installed models against its recorded hash."""
    names = {full_id(name) for name in models or ()}
    here, faults = model_store.all_stored()
    stored = [one for one in here if not names or one.name in names]
    unknown = sorted(names - {one.name for one in stored})
    if unknown:
        raise UsageError(
            f"{unknown[0]} is not installed; to list models: cuesmith models list; to download one: "
            "cuesmith models fetch"
        )
    wrong = {one.folder: str(error) for one in stored if (error := _fault(one)) is not None}
    unread = [] if names else [str(fault) for fault in faults]
    if as_json:
        print_json(
            {
                "models": [_stored(one) | {"fault": wrong.get(one.folder)} for one in stored],
                "problems": unread,
            }
        )
    else:
        for one in stored:
            print_stdout(
                f"{'damaged' if one.folder in wrong else 'ok':<7} {one_line(one.name)}  {one.revision[:19]}"
            )
        if not stored and not unread:
            print_stderr(f"no models in {model_store.root()}")
    if wrong or unread:
        raise VerificationError("\n".join([*wrong.values(), *unread]))


def _fault(stored: model_store.Stored) -> CuesmithError | None:
    try:
        model_store.verify(stored)
    except CuesmithError as error:
        return error
    return None


def _row(model: Model, stored: model_store.Stored | None) -> dict[str, Any]:
    return {
        "id": model.id,
        "kind": model.kind,
        "family": model.family,
        "sample_rate_hz": model.sample_rate_hz,
        "channels": model.channels,
        "window_s": model.window_s,
        "hears": sorted(model.hears),
        "decoders": list(model.decoders),
        "license": model.license,
        "commercial": model.commercial,
        "revision": stored.revision if stored else model.revision or model_store.pinned(model.id),
        "here": stored is not None,
        "bytes": stored.size if stored else None,
        "missing": model.missing,
    }


def _decoder(stored: model_store.Stored | None) -> dict[str, Any]:
    return {
        "id": MBD,
        "decodes": [model.id for model in PUBLISHED if "mbd" in model.decoders],
        "license": LICENSE,
        "revision": stored.revision if stored else HELPERS[MBD][1],
        "here": stored is not None,
        "bytes": stored.size if stored else None,
    }


def _state(row: dict[str, Any]) -> str:
    return f"installed, {row['bytes'] / 1e9:.2f} GB" if row["here"] else "not installed"


def _revision(row: dict[str, Any]) -> str:
    return f"{(row['revision'] or 'pinned when fetched')[:19]:<19}"


def _line(row: dict[str, Any]) -> str:
    state = "cannot run" if row["missing"] else _state(row)
    channels = "stereo" if row["channels"] == 2 else "mono"
    hears = ", ".join(["text", *row["hears"]])
    return (
        f"{row['id']:<40} {row['kind']:<5} {row['window_s']:>3g} s  {row['sample_rate_hz'] / 1000:g} kHz "
        f"{channels:<6}  {row['license']}  {_revision(row)}  {state}  ({hears})"
    )


def _stored(stored: model_store.Stored) -> dict[str, Any]:
    return {
        "id": stored.name,
        "revision": stored.revision,
        "folder": str(stored.folder),
        "bytes": stored.size,
        "files": dict(stored.files),
        "sources": dict(stored.sources),
    }
