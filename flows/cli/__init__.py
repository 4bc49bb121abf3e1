"""The command line: parse, call, print, exit code."""

from flows.cli.app import main

__all__ = ["main"]
