"""Builds on a Ray cluster of several nodes on this machine, with GPUs that Ray counts and nobody needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster
from test_kills import Victim
from toys import ToyProject
from waiting import wait_until

from pipeline.catalog import Catalog
from pipeline.store import Store, verify

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Ray's clusters of several nodes are POSIX's"),
]

HEAD = """\
cuesmith: 1
project: toys
defaults:
  sfx: {engine: toy-gpu, formats: [wav, ogg]}
assets:
"""
ASSETS = "".join(
    f"  - {{id: k/{name}, kind: sfx, prompt: sound {name}, duration: 0.3s, variations: 3}}\n"
    for name in "abcdefgh"
)
TAKES = 24


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where workers, on nodes too, write the digest of each take."""
    path = tmp_path / "generated.log"
    path.touch()
    return path


@pytest.fixture
def cluster(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head without GPUs; nodes inherit the environment of this process."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("TOY_LOG", str(log))
    monkeypatch.setenv("TOY_SECONDS", "0.2")
    cluster = Cluster()
    add_node(cluster, cpus=1, gpus=0)
    yield cluster
    cluster.shutdown()


def add_node(cluster: Cluster, cpus: int, gpus: int) -> Any:
    return cluster.add_node(
        num_cpus=cpus, num_gpus=gpus, object_store_memory=80 * 2**20, include_dashboard=False
    )


def project(folder: Path) -> ToyProject:
    toys = ToyProject(folder)
    toys.write(ASSETS, HEAD)
    return toys


def start(toys: ToyProject, server: str, *words: str) -> subprocess.Popen[str]:
    program = [sys.executable, "-P", "-c", "from flows.cli import main; main()", "build", str(toys.manifest)]
    return subprocess.Popen(
        [*program, "--outputs", str(toys.outputs), "--json", *words],
        env={**os.environ, "PREFECT_API_URL": server},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    result: dict[str, Any] = json.loads(out)
    return result


def sessions(toys: ToyProject) -> Counter[tuple[str, str]]:
    """Takes by node (its raylet's process) and visible device, from their records."""
    store = Store.open(toys.outputs)
    records = store.get_records("takes", store.records("takes"), "cuesmith.take/1")
    software = [record["made"]["software"] for _, record in records]
    return Counter((made["RAY_RAYLET_PID"], made["CUDA_VISIBLE_DEVICES"]) for made in software)


def published(toys: ToyProject) -> tuple[Any, ...]:
    """Rows of the catalog, the tables and every object that they name, without the times of this build."""
    catalog = Catalog(Store.open(toys.outputs))
    version = catalog.latest()
    assert version is not None
    folder = toys.outputs / "catalog" / f"{version.number:06d}"
    objects = {path.name for path in (toys.outputs / "store").rglob("*.*") if path.suffix in (".wav", ".ogg")}
    return version.masters, version.missing, (folder / "catalog.csv").read_bytes(), objects, toys.library()


def test_each_session_sees_one_gpu_and_the_store_is_that_of_a_local_build(
    tmp_path: Path, cluster: Cluster, prefect_server: str
) -> None:
    add_node(cluster, cpus=1, gpus=2)
    add_node(cluster, cpus=1, gpus=1)
    far, near = project(tmp_path / "far"), project(tmp_path / "near")
    result = result_of(start(far, prefect_server, "--runner", "ray", "--ray-address", cluster.address))
    assert (result["generated"], result["failed"]) == (TAKES, [])
    used = sessions(far)
    assert sorted(visible for _, visible in used) == ["0", "0", "1"]
    assert len({node for node, _ in used}) == 2
    assert used.total() == TAKES
    result_of(start(near, prefect_server, "--devices", "cuda:0,cpu"))
    assert published(far) == published(near)
    assert [str(finding) for finding in verify(Store.open(far.outputs))] == []


def test_a_node_that_is_killed_within_a_build_loses_nothing(
    tmp_path: Path, cluster: Cluster, prefect_server: str, log: Path
) -> None:
    doomed = add_node(cluster, cpus=1, gpus=1)
    add_node(cluster, cpus=1, gpus=1)
    toys = project(tmp_path / "toys")
    process = start(toys, prefect_server, "--runner", "ray", "--ray-address", cluster.address)
    raylet = str(doomed.all_processes["raylet"][0].process.pid)
    assert wait_until(lambda: any(node == raylet for node, _ in sessions(toys)), 180)
    cluster.remove_node(doomed, allow_graceful=False)
    result = result_of(process)
    assert (result["generated"], result["failed"]) == (TAKES, [])
    made = log.read_text().split()
    assert len(set(made)) == TAKES
    assert len(made) <= TAKES + 4, "only what the lost worker held is made again"
    assert [str(finding) for finding in verify(Store.open(toys.outputs)) if finding.harmful] == []
    local = Victim(tmp_path / "local")
    assert local.running() == []
