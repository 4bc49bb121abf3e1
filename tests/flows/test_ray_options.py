"""`--runner` and `--ray-address` without a cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from toys import ToyProject
from typer.testing import CliRunner, Result

from flows.cli.app import app


def build(toys: ToyProject, *words: str) -> Result:
    return CliRunner().invoke(app, ["build", str(toys.manifest), "--outputs", str(toys.outputs), *words])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--runner", "slurm"), 2, "--runner 'slurm' is unknown; give local or ray"),
        (("--ray-address", "head:6379"), 2, "--ray-address needs --runner ray"),
        (("--runner", "ray", "--ray-address", "127.0.0.1:9"), 4, "127.0.0.1:9 does not answer"),
    ],
)
def test_what_is_wrong_is_said_at_once(
    toys: ToyProject, words: tuple[str, ...], code: int, message: str
) -> None:
    result = build(toys, *words)
    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr


def test_a_cluster_that_does_not_start_is_reported_with_rays_reason(
    toys: ToyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def too_slow(*options: object) -> Iterator[None]:
        raise Exception("The current node timed out during startup.\nMore of it")
        yield

    monkeypatch.setitem(sys.modules, "prefect_ray", SimpleNamespace(RayTaskRunner=too_slow))
    result = build(toys, "--runner", "ray")
    assert result.exit_code == 4
    message = "cannot connect to the Ray cluster on this machine: The current node timed out during startup; try again"
    assert message in result.stderr


def test_without_the_extra_the_remedy_is_named(toys: ToyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prefect_ray", None)
    result = build(toys, "--runner", "ray")
    assert result.exit_code == 4
    assert "pip install 'cuesmith[ray]'" in result.stderr
