"""A real Firefox for tests, driven over WebDriver BiDi, which every Firefox since 129 speaks without a driver."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

_PATIENCE_S = 60
_LISTENS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


def find_firefox() -> str | None:
    """``$FIREFOX``, or one on the path; None where there is none."""
    return os.environ.get("FIREFOX") or next(
        filter(None, map(shutil.which, ("firefox", "firefox-esr"))), None
    )


class FirefoxTab:
    """One tab. ``wrong`` collects errors and warnings of its console."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._sent = 0
        self.wrong: list[str] = []
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])
        self._tab = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method: str, **params: Any) -> Any:
        """The result of a BiDi command."""
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": params}))
        while (answer := json.loads(self._socket.recv(timeout=_PATIENCE_S))).get("id") != self._sent:
            entry = answer.get("params", {})
            if entry.get("level") in ("error", "warn"):
                self.wrong.append(entry["text"])
        assert answer["type"] == "success", f"{method}: {answer}"
        return answer["result"]

    def goto(self, address: str) -> None:
        self.call("browsingContext.navigate", context=self._tab, url=address, wait="complete")

    def resize(self, width: int, height: int) -> None:
        self.call(
            "browsingContext.setViewport", context=self._tab, viewport={"width": width, "height": height}
        )

    def run(self, code: str) -> Any:
        """The value of a JavaScript expression that JSON can hold; waits for a promise."""
        wrapped = f"(async () => JSON.stringify((await ({code})) ?? null))()"
        done = self.call(
            "script.evaluate",
            expression=wrapped,
            target={"context": self._tab},
            awaitPromise=True,
            userActivation=True,
        )
        assert done["type"] == "success", done
        return json.loads(done["result"]["value"])


@contextlib.contextmanager
def firefox(profile: Path) -> Iterator[FirefoxTab | None]:
    """A headless Firefox without transitions, its profile in the folder ``profile``; None where there is none."""
    program = find_firefox()
    if program is None:
        yield None
        return
    profile.mkdir()
    (profile / "user.js").write_text('user_pref("ui.prefersReducedMotion", 1);\n')
    command = [
        program,
        "--headless",
        "--no-remote",
        "--profile",
        str(profile),
        "--remote-debugging-port",
        "0",
    ]
    environment = {**os.environ, "HOME": str(profile)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            listening = (found[1] for line in process.stderr if (found := _LISTENS.search(line)))
            address = next(listening, None)
            assert address, f"{program} does not speak WebDriver BiDi: Firefox 129 or newer does"
            with connect(f"{address}/session", max_size=None) as socket:
                yield FirefoxTab(socket)
        finally:
            process.terminate()
