"""The review server: who may read, who may write, what is written."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from quick import QuickProject

from pipeline.catalog import Reviews
from pipeline.errors import MachineError
from pipeline.provenance import MasterRow
from pipeline.report import write_report
from pipeline.review.server import ReviewServer, review_app

HOST = "127.0.0.1:8700"
TOKEN = "let-me-write"
WRITER = {"X-Cuesmith-Token": TOKEN}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    project = QuickProject(tmp_path_factory.mktemp("review") / "toys")
    project.build()
    write_report(project.store)
    return project


@pytest.fixture
def client(project: QuickProject) -> Iterator[TestClient]:
    (project.outputs / "reviews.jsonl").unlink(missing_ok=True)
    app = review_app(project.store, frozenset({HOST}), TOKEN)
    with TestClient(app, base_url=f"http://{HOST}", follow_redirects=False) as client:
        yield client


def _decision(row: MasterRow, action: str = "approve", **changed: Any) -> dict[str, Any]:
    return {
        "at": "2026-01-01T00:00:00+00:00",
        "action": action,
        "asset": row["asset"],
        "variation": row["variation"],
        "take": row["take"],
        "master": row["master"],
        "comment": "",
    } | changed


def _sent(*decisions: dict[str, Any], **changed: Any) -> dict[str, Any]:
    named = {"schema": "cuesmith.decisions/1", "reviewer": "Ada", "version": 1}
    return named | {"decisions": list(decisions)} | changed


def test_a_decision_is_appended_with_its_name_and_time(client: TestClient, project: QuickProject) -> None:
    row = project.row("a/two")
    answer = client.post("/api/decisions", json=_sent(_decision(row, comment="fine")), headers=WRITER)
    assert answer.status_code == 200
    (event,) = Reviews(project.store).events()
    assert (event.by, event.action, event.master, event.comment) == ("Ada", "approve", row["master"], "fine")
    assert event.at == "2026-01-01T00:00:00+00:00"
    index = [(one["asset"], one["variation"]) for one in project.latest.masters].index(("a/two", 1))
    assert answer.json()["approved"] == [index]


def test_a_decision_that_is_sent_twice_is_written_once(client: TestClient, project: QuickProject) -> None:
    sent = _sent(_decision(project.row("a/two")))
    for _ in range(2):
        assert client.post("/api/decisions", json=sent, headers=WRITER).status_code == 200
    assert len(Reviews(project.store).events()) == 1


def test_reviewers_at_once_lose_nothing(client: TestClient, project: QuickProject) -> None:
    row = project.row("a/two")

    def review(name: str) -> None:
        for number in range(10):
            sent = _sent(_decision(row, "comment", comment=f"{name} {number}"), reviewer=name)
            assert client.post("/api/decisions", json=sent, headers=WRITER).status_code == 200

    threads = [threading.Thread(target=review, args=(f"r{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    comments = [event.comment for event in Reviews(project.store).events()]
    assert sorted(comments) == sorted(f"r{n} {number}" for n in range(4) for number in range(10))


@pytest.mark.parametrize("headers", [{}, {"X-Cuesmith-Token": "wrong"}, {"X-Cuesmith-Token": ""}])
def test_nothing_is_written_without_the_token(
    client: TestClient, project: QuickProject, headers: dict[str, str]
) -> None:
    answer = client.post("/api/decisions", json=_sent(_decision(project.row("a/two"))), headers=headers)
    assert answer.status_code == 403
    assert Reviews(project.store).events() == ()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8700"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_other_hosts_and_origins_are_refused_even_with_the_token(
    client: TestClient, project: QuickProject, headers: dict[str, str]
) -> None:
    sent = _sent(_decision(project.row("a/two")))
    assert client.post("/api/decisions", json=sent, headers=WRITER | headers).status_code == 403
    assert client.get("/api/standing?version=1", headers=headers).status_code == 403
    assert Reviews(project.store).events() == ()


def test_a_link_from_elsewhere_may_open_the_page(client: TestClient) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("/reports/000001/index.html", headers=link).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"action": "delete"},
        {"master": "0" * 63},
        {"comment": "x" * 10001},
        {"at": "noon"},
        {"extra": 1},
        {"variation": 0},
    ],
)
def test_what_is_not_a_decision_is_refused_whole(
    client: TestClient, project: QuickProject, change: dict[str, Any]
) -> None:
    row = project.row("a/two")
    sent = _sent(_decision(row), _decision(row, **change))
    assert client.post("/api/decisions", json=sent, headers=WRITER).status_code == 409
    assert Reviews(project.store).events() == ()


@pytest.mark.parametrize("change", [{"master": "0" * 64}, {"asset": "no/such"}, {"action": "comment"}])
def test_a_decision_on_what_is_not_there_is_refused_in_words(
    client: TestClient, project: QuickProject, change: dict[str, Any]
) -> None:
    sent = _sent(_decision(project.row("a/two"), **change))
    answer = client.post("/api/decisions", json=sent, headers=WRITER)
    assert answer.status_code == 409
    assert "no such master" in answer.json()["detail"] or "text is empty" in answer.json()["detail"]


@pytest.mark.parametrize("length", ["abc", "-1", "1e9", ""])
def test_a_content_length_that_is_no_number_is_no_fault_of_the_server(
    client: TestClient, length: str, project: QuickProject
) -> None:
    sent = json.dumps(_sent(_decision(project.row("a/two")))).encode()
    headers = WRITER | {"Content-Length": length}
    answer = client.post("/api/decisions", content=sent, headers=headers)
    assert answer.status_code < 500
    assert client.get("/api/standing?version=1", headers={"Content-Length": "abc"}).status_code == 200


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "whole"])
def test_a_body_that_is_too_long_is_refused_however_it_is_sent(
    client: TestClient, project: QuickProject, chunked: bool
) -> None:
    sent = json.dumps(_sent(_decision(project.row("a/two")))).encode() + b" " * 4_000_000
    parts = (sent[start : start + 100_000] for start in range(0, len(sent), 100_000))
    answer = client.post("/api/decisions", content=parts if chunked else sent, headers=WRITER)
    assert answer.status_code == 413
    assert Reviews(project.store).events() == ()


def _undo(version: int, *ids: str, reviewer: str = "Ada") -> dict[str, Any]:
    return {"schema": "cuesmith.undo/1", "version": version, "reviewer": reviewer, "decisions": list(ids)}


def test_an_undo_adds_what_brings_the_state_back(client: TestClient, project: QuickProject) -> None:
    rows = [project.row("a/two"), project.row("b/three")]
    sent = _sent(*(_decision(row) for row in rows))
    saved = client.post("/api/decisions", json=sent, headers=WRITER).json()["saved"]
    answer = client.post("/api/undo", json=_undo(1, *saved), headers=WRITER)
    assert answer.status_code == 200
    assert (answer.json()["approved"], answer.json()["kept"]) == ([], [])
    assert sorted(answer.json()["undone"]) == ["a/two_01", "b/three_01"]
    assert [event.action for event in Reviews(project.store).events()] == [
        "approve",
        "approve",
        "clear",
        "clear",
    ]


@pytest.mark.parametrize(
    ("undo", "said"),
    [
        (_undo(1, "0" * 64), "not in the review file"),
        (_undo(1, "short"), "decisions: not a list of ids"),
        (_undo(0), "version: 0 is not"),
        (_undo(1) | {"schema": "cuesmith.decisions/1"}, "cuesmith.decisions, not cuesmith.undo"),
    ],
)
def test_an_undo_of_nothing_is_refused(client: TestClient, undo: dict[str, Any], said: str) -> None:
    answer = client.post("/api/undo", json=undo, headers=WRITER)
    assert answer.status_code == 409
    assert said in answer.json()["detail"]
    assert client.post("/api/undo", json=undo).status_code == 403


def test_a_decision_of_another_person_meanwhile_is_asked_about(
    client: TestClient, project: QuickProject
) -> None:
    row, at = project.row("a/two"), "2026-01-02T00:00:00+00:00"
    for_bo = _sent(_decision(row, "reject"), reviewer="Bo")
    assert client.post("/api/decisions?seen=0", json=for_bo, headers=WRITER).status_code == 200
    mine = _sent(_decision(project.row("b/three")), _decision(row, at=at))
    asked = client.post("/api/decisions?seen=0", json=mine, headers=WRITER)
    assert asked.status_code == 409
    [question] = asked.json()["questions"]
    assert (question["decision"], question["name"], question["reason"]) == (1, "a/two_01", "decided")
    assert len(Reviews(project.store).events()) == 1, "all or none"
    again = client.post(f"/api/decisions?seen={asked.json()['count']}", json=mine, headers=WRITER)
    assert again.status_code == 200
    assert client.post("/api/decisions?seen=0", json=mine, headers=WRITER).status_code == 200, "saved before"
    assert len(Reviews(project.store).events()) == 3


def test_a_lock_refuses_a_whole_batch(client: TestClient, project: QuickProject) -> None:
    rows = [project.row("a/two"), project.row("b/three")]
    assert client.post("/api/decisions", json=_sent(_decision(rows[0], "lock")), headers=WRITER).is_success
    answer = client.post(
        "/api/decisions", json=_sent(*(_decision(row, "reject") for row in rows)), headers=WRITER
    )
    assert answer.status_code == 409
    assert "unlock first" in answer.json()["detail"]
    assert len(Reviews(project.store).events()) == 1


def test_a_replaced_take_is_asked_about_until_the_reviewer_knows(tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    old = project.build_and_reject("a/two")
    with TestClient(review_app(project.store, frozenset({HOST}), TOKEN), base_url=f"http://{HOST}") as client:
        assert client.get("/api/standing?version=1").json()["latest"] == 2
        count = client.get("/api/standing?version=1").json()["count"]
        assert client.get(f"/api/standing?version=1&since={count}&latest=1").status_code == 200
        assert client.get(f"/api/standing?version=1&since={count}&latest=2").status_code == 204
        sent = _sent(_decision(old))
        asked = client.post("/api/decisions", json=sent, headers=WRITER)
        assert asked.status_code == 409
        assert "version 2 has another take" in asked.json()["questions"][0]["words"]
        assert client.post("/api/decisions?latest=2", json=sent, headers=WRITER).status_code == 200
        # The build's report is not written yet: the server writes it.
        assert client.get("/", follow_redirects=False).headers["location"] == "/reports/000002/index.html"
        assert client.get("/reports/000002/index.html").status_code == 200


def test_a_server_that_starts_again_keeps_port_and_token(
    project: QuickProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = ReviewServer(project.store)
    first._socket.close()
    again = ReviewServer(project.store)
    assert (again.origin, again.token) == (first.origin, first.token)
    beside = ReviewServer(project.store)
    assert beside.origin != again.origin
    [file] = tmp_path.rglob("review/*.json")
    assert file.stat().st_mode & 0o077 == 0
    file.chmod(0o644)
    assert ReviewServer(project.store).token != first.token, "others could read it"
    os.utime(file, (0, 0))
    assert ReviewServer(project.store).token != first.token, "it is older than a day"


def test_only_news_is_sent_again(client: TestClient) -> None:
    count = client.get("/api/standing?version=1").json()["count"]
    assert client.get(f"/api/standing?version=1&since={count}").status_code == 204
    assert client.get(f"/api/standing?version=1&since={count + 1}").status_code == 200


def test_the_page_and_its_sounds_are_served_and_stay_put(client: TestClient, project: QuickProject) -> None:
    assert client.get("/").headers["location"] == "/reports/000001/index.html"
    page = client.get("/reports/000001/index.html")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["x-frame-options"] == "DENY"
    (sound,) = project.row("a/two")["files"].values()
    address = f"/store/{sound['sha256'][:2]}/{sound['sha256']}.wav"
    assert len(client.get(address).content) == sound["size"]
    assert client.get(address, headers={"Range": "bytes=0-3"}).content == b"RIFF"


@pytest.mark.parametrize(
    "address",
    [
        "/reviews.jsonl",
        "/catalog/000001/catalog.json",
        "/reports/../reviews.jsonl",
        "/reports/%2e%2e/reviews.jsonl",
        "/store/..%2f..%2fcues.yaml",
        "/docs",
        "/openapi.json",
    ],
)
def test_nothing_but_the_report_and_its_sounds_is_served(client: TestClient, address: str) -> None:
    assert client.get(address).status_code == 404


def test_a_port_that_is_taken_is_said(project: QuickProject) -> None:
    first = ReviewServer(project.store)
    port = int(first.origin.rpartition(":")[2])
    with pytest.raises(MachineError, match="choose another with --port"):
        ReviewServer(project.store, port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_there_is_not_is_said(project: QuickProject, port: int) -> None:
    with pytest.raises(MachineError, match="choose another with --port"):
        ReviewServer(project.store, port)


@pytest.mark.skipif(os.name == "nt", reason="Windows frees a port at once")
def test_the_port_of_a_server_that_ended_is_free_again(project: QuickProject) -> None:
    first = ReviewServer(project.store)
    thread = threading.Thread(target=first.run)
    thread.start()
    port = int(first.origin.rpartition(":")[2])
    # The server closes first, so that its side of the connection lingers on the port.
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(f"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        while line.recv(4096):
            pass
    first.stop()
    thread.join(10)
    ReviewServer(project.store, port)


def test_an_empty_place_says_how_to_fill_it(tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    app = review_app(project.store, frozenset({HOST}), TOKEN)
    with TestClient(app, base_url=f"http://{HOST}") as client:
        assert "cuesmith build" in client.get("/").json()["detail"]
