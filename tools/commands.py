"""Writes docs/commands.md from the command line itself: python tools/commands.py."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from corpus.cli import READER_LEFT, app
from corpus.errors import CorpusError

PAGE = Path(__file__).parent.parent / "docs/commands.md"
SHARED = {
    "warehouse": "build", "json": "build", "key": "build", "signer": "build", "wait": "build", "spark_conf": "build",
    "restricted": "why", "purpose": "why", "log_json": "build", "metrics": "build", "plan": "build",
}  # fmt: skip
"""Options that several commands share, explained once: each with a command that has it."""

INTRODUCTION = """\
# Every command
This page is written by `tools/commands.py` from the command line itself; `corpus COMMAND --help` says the same.

`DATASET` is a dataset's name, as `uk-social`; `DATASET@N` one version of it; `DATASET[@N]` a version, or without a
number the newest (or all, where the command says so). Answers stand on stdout, everything else on stderr, and mistakes
are a message without a traceback. A misspelt command, option or dataset is answered with the nearest one that there is.
Where `--json` is said, the answer is JSON in ASCII. Colours and moving lines are drawn on a terminal only; `NO_COLOR=1`
keeps the colours away. `corpus --version` prints the version.

**Tab completion**: `corpus --install-completion` sets it up for bash, zsh, fish or PowerShell (`--show-completion`
prints it instead); it completes commands, options, datasets and versions. For versions in bash add
`COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}` to your `.bashrc`.

"""


TAKES = {Path: "PATH", int: "NUMBER", float: "NUMBER"}


def page() -> str:
    """The whole page."""
    commands = dict(_commands(typer.main.get_command(app), ""))
    parts = [INTRODUCTION, _exit_codes(), _shared(commands)]
    once = {parameter.help for parameter in _explained_once(commands)}
    return "".join([*parts, "## Commands\n", *(_section(*each, once) for each in sorted(commands.items()))])


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _exit_codes() -> str:
    """The table of exit codes, from the errors themselves."""
    kinds = sorted(CorpusError.__subclasses__(), key=lambda kind: kind.exit_code)
    said = [(0, "Done."), (1, "A check of `corpus vectors` differs, or something failed that is none of these.")]
    said += [(kind.exit_code, _one_line(kind.__doc__)) for kind in kinds]
    said += [(130, "Stopped from the keyboard."), (READER_LEFT, "Whoever read the output went away, as `head` does.")]
    retry = {kind.exit_code: kind.retry for kind in kinds}
    lines = [f"| {code} | {what} | {retry.get(code, 'no') if code else ''} |\n" for code, what in said]
    what_then = "What to do after each: [operations.md](operations.md#exit-codes).\n\n"
    return "".join(["## Exit codes\n| code | | try again |\n|---|---|---|\n", *lines, "\n", what_then])


def _shared(commands: dict[str, Any]) -> str:
    rows = [_row(parameter) for parameter in _explained_once(commands)]
    return "".join(["## Options that several commands share\n| | |\n|---|---|\n", *rows, "\n"])


def _explained_once(commands: dict[str, Any]) -> list[Any]:
    return [each for name, where in SHARED.items() for each in commands[where].params if each.name == name]


def _section(name: str, command: Any, once: set[str]) -> str:
    """A command: what it does, an example, its own arguments and options, and which shared ones it takes."""
    says, _, example = _one_line(command.help).partition(" Example: ")
    parameters = [each for each in command.params if (each.help or _is_option(each)) and each.help not in once]
    shared = [f"`{_long(each)}`" for each in command.params if each.help in once]
    rows = ["| | |\n|---|---|\n", *map(_row, parameters)] if parameters else []
    also = [f"Also {', '.join(shared)}.\n"] if shared else []
    usage = " ".join(["corpus", name, *filter(None, map(_usage, command.params))])
    return "".join([f"### {usage}\n{says}\n```sh\n{example}\n```\n", *rows, "\n" * bool(rows), *also, "\n"])


def _usage(parameter: Any) -> str:
    if _is_option(parameter):
        return ""
    return _name(parameter) if parameter.required else f"[{_name(parameter)}]"


def _row(parameter: Any) -> str:
    said = (parameter.help or "").replace("|", r"\|")
    beside = ["needed"] if _is_option(parameter) and parameter.required else []
    beside += [f"environment variable `{parameter.envvar}`"] if parameter.envvar else []
    default = parameter.default
    if _is_option(parameter) and default not in (None, False, "") and not callable(default) and "[default" not in said:
        beside.append(f"by default `{default}`")
    besides = f" ({'; '.join(beside)})" if beside else ""
    return f"| `{_name(parameter)}` | {said}{besides} |\n"


def _name(parameter: Any) -> str:
    """As it is typed: an option with what it takes, or an argument."""
    if not _is_option(parameter):
        return str(parameter.metavar or parameter.name.upper())
    kind = TAKES.get(parameter.type_descriptor.annotation, "TEXT")
    takes = "" if parameter.is_flag else f" {parameter.metavar or kind}"
    return f"{', '.join(sorted(parameter.opts, key=len))}{takes}"


def _long(parameter: Any) -> str:
    return max(parameter.opts, key=len)


def _is_option(parameter: Any) -> bool:
    return str(parameter.param_type_name) == "option"


def _one_line(text: str | None) -> str:
    return re.sub(r"\s+", " ", inspect.cleandoc(text or "")).strip()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
