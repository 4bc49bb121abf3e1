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

import psutil
import pytest
from object_store import s3_bucket
from ray.cluster_utils import Cluster
from toys import ToyProject
from waiting import wait_until

from pipeline.catalog import Catalog
from pipeline.store import Store, verify

__all__ = ["s3_bucket"]

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
AHEAD = 4
"""Takes that a worker holds at once."""


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


class Build:
    """A build of a small project in a process of its own."""

    def __init__(self, folder: Path, server: str, *words: str, outputs: str | None = None) -> None:
        self.toys = ToyProject(folder)
        self.toys.write(ASSETS, HEAD)
        self.store = Store.open(outputs or self.toys.outputs)
        program = [sys.executable, "-P", "-c", "from flows.cli import main; main()", "build"]
        self.process = subprocess.Popen(
            [*program, str(self.toys.manifest), "--outputs", self.store.root, "--json", *words],
            env={**os.environ, "PREFECT_API_URL": server},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def result(self) -> dict[str, Any]:
        """What the build prints."""
        out, errors = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, errors
        result: dict[str, Any] = json.loads(out)
        return result

    def sessions(self) -> Counter[tuple[str, str]]:
        """Takes by node (its raylet's process) and visible device, from their records."""
        records = self.store.get_records("takes", self.store.records("takes"), "cuesmith.take/1")
        software = [record["made"]["software"] for _, record in records]
        return Counter((made["RAY_RAYLET_PID"], made["CUDA_VISIBLE_DEVICES"]) for made in software)

    def published(self) -> tuple[Any, ...]:
        """Rows of the catalog, a table, every object that they name and the library; no times of this build."""
        version = Catalog(self.store).latest()
        assert version is not None
        stored = (entry.key for entry in self.store.backend.list("store"))
        objects = {key for key in stored if key.endswith((".wav", ".ogg"))}
        table = self.store.backend.read(f"catalog/{version.number:06d}/catalog.csv")
        return version.masters, version.missing, table, objects, self.toys.library()

    def harm(self) -> list[str]:
        return [str(finding) for finding in verify(self.store) if finding.harmful]


def test_each_session_sees_one_gpu_and_the_store_is_that_of_a_local_build(
    tmp_path: Path, cluster: Cluster, prefect_server: str
) -> None:
    add_node(cluster, cpus=1, gpus=2)
    add_node(cluster, cpus=1, gpus=1)
    far = Build(tmp_path / "far", prefect_server, "--runner", "ray", "--ray-address", cluster.address)
    result = far.result()
    assert (result["generated"], result["failed"]) == (TAKES, [])
    used = far.sessions()
    assert sorted(visible for _, visible in used) == ["0", "0", "1"]
    assert len({node for node, _ in used}) == 2
    assert used.total() == TAKES
    near = Build(tmp_path / "near", prefect_server, "--devices", "cuda:0,cpu")
    near.result()
    assert far.published() == near.published()
    assert far.harm() == []


def test_a_node_that_is_killed_within_a_build_loses_nothing(
    tmp_path: Path, cluster: Cluster, prefect_server: str, log: Path, s3_bucket: str
) -> None:
    doomed = add_node(cluster, cpus=1, gpus=1)
    add_node(cluster, cpus=1, gpus=1)
    ray = "--runner", "ray", "--ray-address", cluster.address
    build = Build(tmp_path, prefect_server, *ray, outputs=f"{s3_bucket}/{tmp_path.name}")
    raylet = str(doomed.all_processes["raylet"][0].process.pid)
    assert wait_until(lambda: any(node == raylet for node, _ in build.sessions()), 180)
    cluster.remove_node(doomed, allow_graceful=False)
    result = build.result()
    assert (result["generated"], result["mastered"], result["failed"]) == (TAKES, TAKES, [])
    made = log.read_text().split()
    assert len(set(made)) == TAKES
    assert len(made) <= TAKES + AHEAD, "only what the lost worker held is made again"
    assert build.harm() == []


def test_a_flow_that_is_killed_leaves_no_worker_on_any_node(
    tmp_path: Path, cluster: Cluster, prefect_server: str, log: Path
) -> None:
    add_node(cluster, cpus=1, gpus=2)
    ray = "--runner", "ray", "--ray-address", cluster.address
    build = Build(tmp_path, prefect_server, *ray)
    assert wait_until(lambda: len(log.read_text().split()) >= 3 and len(_workers(build)) >= 2, 180)
    ours = _workers(build)
    build.process.kill()
    build.process.communicate()
    assert wait_until(lambda: not any(process.is_running() for process in ours), 60)
    assert build.harm() == []
    assert Build(tmp_path, prefect_server, *ray).result()["generated"] < TAKES
    assert len(set(log.read_text().split())) == TAKES


def _workers(build: Build) -> list[psutil.Process]:
    wanted = {"pipeline.build.worker", str(build.toys.outputs)}
    return [process for process in psutil.process_iter() if wanted <= set(_words(process))]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
