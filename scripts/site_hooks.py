"""What MkDocs does besides for the site: files outside of docs/ that pages link to, and a name of the search dialog.

Pages link to such a file as a code host needs it, ``../prefect.yaml``; in the site it is ``files/prefect.yaml``.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
_OUTSIDE = re.compile(r"\]\(\.\./([\w./-]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside of docs/ that pages link to. MkDocs reports a link to a missing file itself."""
    pages = [page for page in files.documentation_pages() if "/" not in page.src_uri]
    for name in sorted({name for page in pages for name in _OUTSIDE.findall(page.content_string)}):
        if (ROOT / name).is_file():
            files.append(File.generated(config, f"files/{name}", abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Change links to files outside of docs/ to their place in the site."""
    if "/" in page.file.src_uri:
        # In a folder of docs/, ``../`` is docs/ itself.
        return markdown
    return _OUTSIDE.sub(r"](files/\1)", markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Name the theme's search dialog for screen readers."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"')
