"""The pages of the documentation as a reader sees them: their blocks, and the commands in these and in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TYPED = ("console", "sh", "bash")
"""Languages of what a reader types: `console` shows after `$` what is typed, and below it what comes back."""

NOT_RUN = re.compile(r'title="not run here: (.+)"')
"""The mark of a block that no test can run, with the reason; readers of the site see it as the block's title."""

_BLOCK = re.compile(r"^( *)```([^\n`]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`(corpus (?!.* v1`)[^`\n]+)`(?!`)")  # docs/proofs.md has bytes such as `corpus bucket v1`


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what else its first line says, and its text without the indent."""

    page: Path
    language: str
    info: str
    code: str

    @property
    def is_typed(self) -> bool:
        return self.language in TYPED

    @property
    def why_not_run(self) -> str | None:
        said = NOT_RUN.fullmatch(self.info)
        return said.group(1) if said else None

    @property
    def lines(self) -> list[str]:
        """The command lines, continued ones joined, without `$` and comments of their own."""
        shown = self.code.replace("\\\n", " ").splitlines()
        if self.language == "console":
            shown = [line.removeprefix("$ ") for line in shown if line.startswith("$ ")]
        return [line for line in shown if line.strip() and not line.startswith("#")]


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page in these languages; all of them without any."""
    found = [_block(page, *each) for each in _BLOCK.findall(page.read_text(encoding="utf-8"))]
    return [block for block in found if not languages or block.language in languages]


def _block(page: Path, indent: str, first: str, code: str) -> Block:
    language, _, info = first.strip().partition(" ")
    return Block(page, language, info.strip(), re.sub(f"^{indent}", "", code, flags=re.MULTILINE))


def prose(page: Path) -> str:
    """A page without its blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def commands(page: Path) -> list[str]:
    """Every `corpus …` that a page shows, to be run or not, in blocks or in the text."""
    lines = [line for block in blocks(page, *TYPED) for line in block.lines]
    return [line for line in [*lines, *_INLINE.findall(prose(page))] if re.match(r"(\S*/)?corpus [a-z-]", line)]
