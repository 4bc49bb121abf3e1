"""Hostile input: prompts that try to break out of a page, and a pickle that would run a command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

_STRIKE = "globalThis.__struck=1"

PROMPTS = (
    f"<script>{_STRIKE}</script>",
    f"</script><script>{_STRIKE}</script>",
    f"</ScRiPt ><script>{_STRIKE}//",
    f"<!--<script>{_STRIKE}</script>-->",
    f"--><script>{_STRIKE}</script>",
    f"<![CDATA[<script>{_STRIKE}</script>]]>",
    f"<img src=x onerror={_STRIKE}>",
    f'"><img src=x onerror="{_STRIKE}">',
    f"'><img src=x onerror='{_STRIKE}'>",
    f"<svg onload={_STRIKE}>",
    f"<svg><script>{_STRIKE}</script></svg>",
    f"<svg/onload={_STRIKE}//",
    f"<math><mi xlink:href=javascript:{_STRIKE}>x",
    f"<iframe srcdoc='<script>parent.{_STRIKE}</script>'>",
    f"<iframe src=javascript:{_STRIKE}>",
    f"<object data=javascript:{_STRIKE}>",
    f"<embed src=javascript:{_STRIKE}>",
    f"<a href=javascript:{_STRIKE} autofocus onfocus={_STRIKE}>x</a>",
    f"<input autofocus onfocus={_STRIKE}>",
    f"<details open ontoggle={_STRIKE}>",
    f"<video><source onerror={_STRIKE}>",
    f"<audio src=x onerror={_STRIKE}>",
    f"<body onload={_STRIKE}>",
    f"<style>@import 'javascript:{_STRIKE}'</style>",
    "<style>*{display:none}</style>",
    f"<link rel=stylesheet href=javascript:{_STRIKE}>",
    f"<meta http-equiv=refresh content='0;javascript:{_STRIKE}'>",
    "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'\">",
    "<base href=https://example.invalid/>",
    f"<form action=javascript:{_STRIKE}><button>x</button></form>",
    f"<marquee onstart={_STRIKE}>",
    f"<template><script>{_STRIKE}</script></template>",
    f"<noscript><p title='</noscript><img src=x onerror={_STRIKE}>'>",
    f"<textarea></textarea><script>{_STRIKE}</script>",
    f"<title></title><script>{_STRIKE}</script>",
    f"{{{{ {_STRIKE} }}}}",
    "{{ self._TemplateReference__context }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{% endfor %}",
    f"${{{_STRIKE}}}",
    f"`;{_STRIKE};//",
    f"';{_STRIKE};//",
    f'";{_STRIKE};//',
    f"\\u003cscript\\u003e{_STRIKE}\\u003c/script\\u003e",
    f"&lt;script&gt;{_STRIKE}&lt;/script&gt;",
    f"&#60;script&#62;{_STRIKE}&#60;/script&#62;",
    f"%3Cscript%3E{_STRIKE}%3C/script%3E",
    f"javascript:{_STRIKE}",
    f"<p style=background:url(javascript:{_STRIKE})>",
    f"]]></script><script>{_STRIKE}</script>",
    f"<x-y onpointerover={_STRIKE} contenteditable>",
)
"""Any that runs leaves ``__struck`` in the page."""


class MaliciousPickle:
    """Pickles to a call that creates the file ``mark`` when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.mark}",))
