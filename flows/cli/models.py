"""Commands for the models of an engine: models list, fetch, verify."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flows.cli.options import AsJson
from flows.cli.output import Group, one_line, print_error, print_json, print_stderr, print_stdout, print_table
from flows.cli.terminal import Column, paint
from pipeline.errors import UsageError, VerificationError
from pipeline.generators import InstalledModel, ModelStore, find_engine
from pipeline.scores import find_score, score_names
from pipeline.watermarks import find_watermark, watermark_names

group = Group(
    help="List, fetch and verify the models of an engine.",
    no_args_is_help=True,
)

EngineName = Annotated[
    str, typer.Option("--engine", metavar="NAME", help="Engine, score or watermark that uses the models.")
]


@group.command("list")
def list_models(engine: EngineName = "audiocraft", as_json: AsJson = False) -> None:
    """List published and installed local models: what each makes, its licence, whether it is installed."""
    store = _store_of(engine)
    models = store.list_models()
    if as_json:
        problems = list(models.problems)
        print_json({"store": str(store.models_folder()), **models.report, "problems": problems})
        return
    for line in models.lines:
        print_stdout(line)
    for problem in models.problems:
        print_stderr(problem)
    print_stderr(f"model store: {store.models_folder()}")


@group.command("fetch")
def fetch_models(
    models: Annotated[
        list[str],
        typer.Argument(help="Model ids, such as facebook/musicgen-small, or id@commit for one commit."),
    ],
    engine: EngineName = "audiocraft",
    as_json: AsJson = False,
) -> None:
    """Download models at their pinned commit, check and convert them. Then builds need no network."""
    store = _store_of(engine)
    fetched = [model for name in models for model in store.fetch_model(name, print_stderr)]
    if as_json:
        print_json({"fetched": [_row(model) for model in fetched]})
    else:
        print_stdout(f"{len(fetched)} models installed and verified in {store.models_folder()}")


@group.command("verify")
def verify_models(
    models: Annotated[
        list[str] | None, typer.Argument(help="Model ids. Default: all installed models.")
    ] = None,
    engine: EngineName = "audiocraft",
    as_json: AsJson = False,
) -> None:
    """Check every file of the installed models against its recorded hash."""
    store = _store_of(engine)
    checked, problems = store.verify_models(models or ())
    if as_json:
        print_json(
            {"models": [_row(model) | {"fault": model.fault} for model in checked], "problems": problems}
        )
    else:
        rows = [
            (paint("damaged" if model.fault else "ok"), one_line(model.id), model.revision[:19])
            for model in checked
        ]
        print_table(rows, (Column(7), Column(gap=1), Column()))
        if not checked and not problems:
            print_stderr(f"no models in {store.models_folder()}")
    faults = [*(model.fault for model in checked if model.fault), *problems]
    for fault in faults:
        print_error(fault)
    if faults:
        raise typer.Exit(VerificationError.exit_code)


def _store_of(name: str) -> ModelStore:
    found: object
    if name in score_names():
        found = find_score(name)
    else:
        found = find_watermark(name) if name in watermark_names() else find_engine(name)
    if not isinstance(found, ModelStore):
        raise UsageError(f"{name!r} has no models to install")
    return found


def _row(model: InstalledModel) -> dict[str, Any]:
    return {
        "id": model.id,
        "revision": model.revision,
        "folder": str(model.folder),
        "bytes": model.size,
        "files": dict(model.files),
        "sources": dict(model.sources),
    }
