"""What ``--outputs`` may be, and which commands work where nothing may be written."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from toys import ToyProject
from typer.testing import CliRunner, Result

from flows.cli.app import app

NOT_UTF8 = os.fsdecode(b"caf\xe9")
EVERYWHERE = (
    ["plan", "cues.yaml"],
    ["build", "cues.yaml"],
    ["verify"],
    ["gc"],
    ["catalog", "versions"],
    ["catalog", "show"],
    ["review", "list"],
)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize("command", EVERYWHERE, ids=" ".join)
@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ("", "--outputs is empty"),
        ("s3:/bucket/x", "write s3://"),
        ("GS:bucket", "write gs://"),
        ("file:/x", "write file://"),
        (NOT_UTF8, r"caf\xe9: this path is not UTF-8"),
    ],
)
def test_outputs_that_cannot_be_meant_are_refused(
    toys: ToyProject, monkeypatch: pytest.MonkeyPatch, command: list[str], outputs: str, said: str
) -> None:
    monkeypatch.chdir(toys.folder)
    done = run(*command, "--outputs", outputs)
    assert (done.exit_code, type(done.exception)) == (2, SystemExit)
    assert said in done.stderr
    assert os.listdir(toys.folder) == ["cues.yaml"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("command", ["validate", "plan", "build"])
def test_a_manifest_below_a_folder_that_is_not_utf8_is_refused(
    toys: ToyProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    folder = tmp_path / NOT_UTF8
    shutil.copytree(toys.folder, folder)
    given = run(command, str(folder / "cues.yaml"))
    monkeypatch.chdir(folder)
    found = run(command)
    for done in (given, found):
        assert (done.exit_code, type(done.exception)) == (2, SystemExit)
        assert r"caf\xe9/cues.yaml: this path is not UTF-8" in done.stderr
    assert os.listdir(folder) == ["cues.yaml"]


def test_the_scheme_of_a_url_may_be_in_capitals() -> None:
    done = run("catalog", "versions", "--outputs", "MEMORY://nothing")
    assert type(done.exception) in (type(None), SystemExit)
    refused = run("catalog", "versions", "--outputs", "FTP://host/x")
    assert "cannot keep a store on ftp://" in refused.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["gc", "--dry-run"],
        ["gc", "--dry-run", "--unused-takes"],
        ["verify"],
        ["plan", "cues.yaml"],
        ["build", "cues.yaml"],
        ["catalog", "versions"],
        ["catalog", "show"],
        ["catalog", "history", "a/one"],
        ["catalog", "channels"],
        ["review", "list"],
    ],
    ids=" ".join,
)
def test_what_only_reads_takes_no_lock(
    built: ToyProject, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(built.folder)
    shutil.rmtree(built.outputs / "locks")
    (built.outputs / "locks").write_text("no lock can be made here")
    done = run(*command)
    assert (done.exit_code, done.stderr.count("error:")) == (0, 0), done.output


def test_doctor_says_that_outputs_are_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    access = os.access
    monkeypatch.setattr(
        os,
        "access",
        lambda path, mode, **o: not (mode & os.W_OK and path == tmp_path) and access(path, mode, **o),
    )
    lines = json.loads(run("doctor", "--outputs", str(tmp_path / "outputs"), "--json").stdout)["lines"]
    (line,) = [line for line in lines if line["what"] == "disk for outputs"]
    assert line["fix"] == f"{tmp_path} is read-only; make it writable, or choose another folder"
