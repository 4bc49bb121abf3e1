"""The page: template, style and scripts put into one file that needs nothing else and allows nothing else to run."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, Template
from markupsafe import Markup

# Each may import from those before it.
_MODULES = (
    "dom.js",
    "data.js",
    "sidecars.js",
    "engine.js",
    "pictures.js",
    "decisions.js",
    "filters.js",
    "list.js",
    "player.js",
    "detail.js",
    "keys.js",
    "main.js",
)
_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:const|function|async function|class) (\w+))", re.MULTILINE)


def render(facts: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """The page as HTML; ``facts`` are for the template, ``data`` is for the scripts."""
    code, style = script_text(), _text("style.css")
    return _template().render(
        **facts, data=data, policy=policy(code, style), style=Markup(style), code=Markup(code)
    )


def policy(code: str, style: str) -> str:
    """The Content-Security-Policy: our script and our style by their hashes, sounds and sidecars beside the page.

    ``strict-dynamic`` lets our script, and nothing else, add the sidecars' script elements; from a file there is
    no origin that could be named instead.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(code)}' 'strict-dynamic'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "media-src 'self' file:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


@lru_cache(maxsize=1)
def script_text() -> str:
    """The page's modules as one script: each in a scope of its own that hands out what the module exports."""
    return "\n".join(_scoped(_text(name)) for name in _MODULES)


def _scoped(module: str) -> str:
    """A module without its imports and exports.

    >>> print(_scoped("import { b } from './b.js';\\nexport const a = b;\\n"))
    const { a } = (() => {
    const a = b;
    return { a };
    })();
    """
    names = ", ".join(match[2] for match in _EXPORT.finditer(module))
    body = _EXPORT.sub(r"\1", _IMPORT.sub("", module)).rstrip()
    return f"const {{ {names} }} = (() => {{\n{body}\nreturn {{ {names} }};\n}})();"


@lru_cache(maxsize=1)
def _template() -> Template:
    loader = FunctionLoader(_text)
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("report.html.j2")


def _text(name: str) -> str:
    return files(__package__).joinpath("page", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
