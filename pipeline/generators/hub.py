"""Downloads from a model hub: at one commit, resumable, checked against the hub's hashes. Imported to fetch only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled

from pipeline.errors import CuesmithError, MachineError, UsageError
from pipeline.generators.model_store import FolderStore, M, StoredModel, is_commit, sha256_of

Progress = Callable[[str], None]
"""Gets one line for each step."""


def split_revision(text: str) -> tuple[str, str | None]:
    """Name and commit of a model that a person writes as ``name`` or ``name@commit``. Raises `UsageError`.

    >>> split_revision("facebook/musicgen-small")
    ('facebook/musicgen-small', None)
    """
    name, at, commit = text.partition("@")
    if at and not is_commit(commit):
        raise UsageError(f"{text}: {commit!r} is no commit; write all 40 hexadecimal digits after the @")
    return name, commit or None


def find_commit(store: FolderStore[M], name: str, repository: str, asked: str | None) -> str:
    """The commit at which to fetch ``name``: ``asked``, else that of the engine's table, else that of the first fetch.

    The first fetch on a machine pins it, for later plans too.
    """
    usual = store.commit_of(name)
    revision = asked or usual
    if revision is None:
        with _translate_hub_errors(repository):
            revision = str(_hub().model_info(repository).sha)
    if usual is None:
        store.pin_commit(name, revision)
    return revision


def fetch(
    store: FolderStore[M],
    name: str,
    revision: str,
    progress: Progress,
    bring: Callable[[Path], StoredModel[M]],
) -> StoredModel[M]:
    """The model, verified if it is installed; else ``bring`` downloads its files into a folder and stores it.

    The folder stays until then, so that the next call continues the download.
    """
    stored = store.find(name, revision)
    if stored is not None:
        store.verify(stored)
        progress(f"{name}: installed and verified ({revision[:12]})")
        return stored
    folder = store.root() / "downloads" / f"{name.replace('/', '--')}-{revision[:12]}"
    stored = bring(folder)
    shutil.rmtree(folder, ignore_errors=True)
    progress(f"{name}: ready, {stored.size / 1e9:.2f} GB ({revision[:12]})")
    return stored


def list_files(repository: str, revision: str) -> Mapping[str, Any]:
    """The files of a repository at a commit, with sizes and hashes, by path.

    Raises `MachineError` if the hub cannot be asked.
    """
    with _translate_hub_errors(repository):
        info = _hub().model_info(repository, revision=revision, files_metadata=True)
        return {file.rfilename: file for file in info.siblings or ()}


def download(
    folder: Path, repository: str, revision: str, files: Collection[Any], progress: Progress
) -> None:
    """Download ``files`` of `list_files` into ``folder``; an earlier download there is continued."""
    with _translate_hub_errors(repository):
        for file in files:
            progress(f"{repository}: {file.rfilename}, {(file.size or 0) / 1e9:.2f} GB")
            path = _hub().hf_hub_download(repository, file.rfilename, revision=revision, local_dir=folder)
            _check_hash(Path(path), file.lfs)


def _hub() -> huggingface_hub.HfApi:
    # Without a token in the environment none is used: not the one of an earlier login either.
    return huggingface_hub.HfApi(
        endpoint=os.environ.get("HF_ENDPOINT") or None, token=os.environ.get("HF_TOKEN") or False
    )


def _check_hash(path: Path, lfs: Any) -> None:
    """Raise `MachineError` if a large file differs from the hub's hash."""
    if not lfs:
        return
    actual = sha256_of(path)
    if actual != lfs.sha256:
        path.unlink()
        raise MachineError(
            f"{path}: SHA-256 is {actual}, expected {lfs.sha256}; the file was removed: fetch again"
        )


@contextmanager
def _translate_hub_errors(repository: str) -> Iterator[None]:
    """Raise errors of the hub and of its HTTP library as `MachineError`."""
    try:
        yield
    except CuesmithError:
        raise
    except OfflineModeIsEnabled as error:
        raise MachineError(
            f"{repository}: not fetched, because HF_HUB_OFFLINE is set; unset it to fetch"
        ) from error
    except GatedRepoError as error:
        raise MachineError(
            f"{repository}: its authors ask you to accept their terms first; sign in and accept them at "
            f"https://huggingface.co/{repository}, create a token with read access at "
            "https://huggingface.co/settings/tokens, put it into the environment variable HF_TOKEN, and run the same "
            "command again"
        ) from error
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise MachineError(
            f"{repository}: cannot be fetched: {reason}; check the network and the disk space, then run the same "
            "command again to resume"
        ) from error
