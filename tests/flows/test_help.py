"""The help of every command: full sentences, and examples that work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from flows.cli.app import COMMANDS, app, load
from flows.cli.examples import EXAMPLES

_SENTENCE = re.compile(r"[A-Z\"(].*\S \S.*\.", re.DOTALL)
_MAIN = ("plan", "build", "catalog show", "review")


def all_commands() -> Iterator[tuple[str, Any]]:
    """Every command with its names, groups included."""

    def below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield name, command
        for child, subcommand in getattr(command, "commands", {}).items():
            yield from below(f"{name} {child}", subcommand)

    for name in COMMANDS:
        yield from below(name, load(name))


LOADED = dict(all_commands())


@pytest.mark.parametrize("name", LOADED)
def test_every_command_and_option_has_a_sentence(name: str) -> None:
    command = LOADED[name]
    assert _SENTENCE.fullmatch(command.help.partition("\n\n")[0].strip()), name
    short = {
        param.name: param.help
        for param in command.params
        if not (param.help and _SENTENCE.fullmatch(param.help.strip()))
    }
    assert short == {}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_a_command_that_cuesmith_accepts(name: str) -> None:
    for words, what in EXAMPLES[name]:
        assert what
        assert f"{words} ".startswith(f"{name} ")
        context: Any = typer.Context(LOADED[name], info_name=name, resilient_parsing=False)
        arguments = shlex.split(words)[len(name.split()) :]
        if commands := getattr(LOADED[name], "commands", {}):
            if arguments:
                commands[arguments[0]].make_context(arguments[0], arguments[1:], parent=context)
        else:
            LOADED[name].make_context(name, arguments, parent=context)


@pytest.mark.parametrize("name", _MAIN)
def test_the_main_commands_show_three_examples(name: str) -> None:
    said = CliRunner().invoke(app, [*name.split(), "--help"]).output
    lines = re.sub(r" \\\n +", " ", said).splitlines()
    assert [line.strip() for line in lines if line.startswith("    cuesmith ")] == [
        f"cuesmith {words}" for words, _ in EXAMPLES[name]
    ]
    assert len(EXAMPLES[name]) == 3


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["bild"], "did you mean build?"),
        (["catalog", "shwo"], "Did you mean 'show'?"),
        (["review", "aprove", "x"], "Did you mean 'approve'?"),
        (["plan", "--profle", "x"], "no option '--profle'; did you mean --profile?"),
        (["--versoin"], "no option '--versoin'; did you mean --version?"),
        (["catalog", "show", "--kind", "sxf"], "is not one of 'music', 'sfx'"),
    ],
)
def test_a_mistyped_word_gets_a_suggestion(words: list[str], suggestion: str) -> None:
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, suggestion in done.stderr) == (2, True), done.stderr


def test_a_mistyped_option_of_any_command_gets_the_nearest_in_the_words_of_commands() -> None:
    commands = {name: loaded for name, loaded in LOADED.items() if not hasattr(loaded, "commands")}
    options = [
        (name, option)
        for name, command in commands.items()
        for param in command.params
        for option in param.opts
        if option.startswith("--")
    ]
    assert len(options) > 100
    for name, option in options:
        wrong = option + option[-1]
        done = CliRunner().invoke(app, [*name.split(), wrong])
        assert done.exit_code == 2, (name, wrong)
        assert re.search(rf"no option '{wrong}'; did you mean (\S+ or )?{option}[ ?]", done.stderr), (
            done.stderr
        )
