"""What the site has beside the pages in docs/: the README as its beginning, and references made from the code.

mkdocs calls the functions named on_… (`hooks` in mkdocs.yml). Nothing here imports Spark.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "src"))

from corpus.reasons import Group, Reason  # noqa: E402 (it is there from here on)

PUBLIC = {
    "What is in a version, what changed and why": [
        "corpus.versions",
        "corpus.query",
        "corpus.changes",
        "corpus.funnel_shown",
    ],
    "SQL, reports, pictures": ["corpus.sql.answers", "corpus.report", "corpus.report.pictures"],
    "Look-ups about people": ["corpus.lookups", "corpus.subject", "corpus.receipts"],
    "For training": ["corpus.reader", "corpus.uses", "corpus.recalls", "corpus.export.making"],
    "Proofs": ["corpus.proving", "corpus_verify.proof", "corpus_verify.kept"],
    "What a build is made of": ["corpus.request", "corpus.build", "corpus.pipeline", "corpus.reproduction"],
    "What goes wrong": ["corpus.errors"],
}
"""The modules that people call, by what they call them for; one that is not there is left out."""

FOREIGN = re.compile(r"""<(?:script|img|iframe|link rel="(?:stylesheet|preload|icon)")[^>]+(?:src|href)="?https?://""")


def on_config(config: Any) -> Any:
    """The navigation without the pages that are not there."""
    config.nav = list(_there(config.nav))
    return config


def _there(entries: list[Any]) -> Iterator[Any]:
    made = {"index.md", "tour.md", "reference/reasons.md", "reference/python.md"}
    for entry in entries:
        ((title, place),) = entry.items() if isinstance(entry, dict) else ((None, entry),)
        if isinstance(place, list):
            yield {title: list(_there(place))}
        elif place in made or (ROOT / "docs" / place).is_file():
            yield entry


def on_files(files: Files, config: Any) -> Files:
    """The pages of docs/, and those that are made."""
    made = {"index.md": _start(), "reference/reasons.md": _reasons(), "reference/python.md": _python()}
    made |= {"tour.md": _tour()}
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A page without the marks that are for tests: which blocks none of them types."""
    return re.sub(r'^( *```\w+) title="not run here: .*"$', r"\1", markdown, flags=re.MULTILINE)


def on_post_build(config: Any) -> None:
    """Raises where a page would fetch something from elsewhere."""
    pages = Path(config.site_dir).rglob("*.html")
    foreign = [f"{page.name}: {found}" for page in pages for found in FOREIGN.findall(page.read_text(encoding="utf-8"))]
    if foreign:
        raise PluginError(f"These pages fetch something from elsewhere: {foreign}")


def _start() -> str:
    """The README with its links as they are from inside docs/; what is not a page becomes its name alone."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")
    text = text.replace("](examples/tour.ipynb)", "](tour.md)")
    return re.sub(r"\[([^]]+)\]\((?:adr|LICENSE)\)", r"\1", text)


def _reasons() -> str:
    """Every reason and gate of the contract, as the code has them."""
    page = ["# Reasons\nWhy a post is left out, the highest first. The bit is its place in `exclusions.reasons`.", ""]
    for group in Group:
        page += [f"## Of the {group.value}", "", "| reason | bit | what it means |", "|---|--:|---|"]
        page += [f"| `{one.name}` | {one.bit} | {one.meaning} |" for one in Reason if one.group is group] + [""]
    page += ["## Gates", "What must be true before a version is made, in the order of the checks."]
    page += ["[The gates](../gates.md) have limits, and say what to do.", "", "| gate | what it holds |", "|---|---|"]
    docs = _docstrings(ROOT / "src/corpus/gates.py")
    return "\n".join([*page, *(f"| `{gate}` | {docs[gate.lower()]} |" for gate in _gates())]) + "\n"


def _gates() -> tuple[str, ...]:
    """The names of the gates, read from the policy's source: importing it would need its libraries."""
    source = ast.parse((ROOT / "src/corpus/policy.py").read_text(encoding="utf-8"))
    found = (node for node in source.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "GATES")
    return tuple(ast.literal_eval(next(found).value))


def _docstrings(path: Path) -> dict[str, str]:
    """The first sentence of each function of a file."""
    functions = [n for n in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(n, ast.FunctionDef)]
    return {each.name: (ast.get_docstring(each) or "").partition("\n")[0] for each in functions}


def _python() -> str:
    """The modules that people call, for mkdocstrings to fill."""
    page = ["# From Python", "What the commands do, as functions. Those of reading load no Spark.", ""]
    for title, modules in PUBLIC.items():
        there = [f"::: {module}" for module in modules if _is_there(module)]
        page += [f"## {title}", "", *("\n".join([module, ""]) for module in there)] if there else []
    return "\n".join(page)


def _is_there(module: str) -> bool:
    paths = [root / module.replace(".", "/") for root in (ROOT / "src", ROOT / "verifier/src")]
    return any(path.with_suffix(".py").is_file() or path.is_dir() for path in paths)


def _tour() -> str:
    """The notebook as a page: with what its cells printed and drew, if `make notebook` ran it."""
    done = ROOT / "build/tour.ipynb"
    notebook = json.loads((done if done.is_file() else ROOT / "examples/tour.ipynb").read_text(encoding="utf-8"))
    return "\n\n".join(_cell(cell) for cell in notebook["cells"])


def _cell(cell: dict[str, Any]) -> str:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    return "\n\n".join([f"```python\n{source}\n```", *(_output(output) for output in cell["outputs"])])


def _output(output: dict[str, Any]) -> str:
    """What a cell printed as text, what it drew as a picture in the page."""
    data = output.get("data", {})
    if "image/png" in data:
        return f'<img alt="{data["text/plain"][0]}" src="data:image/png;base64,{data["image/png"].strip()}">'
    text = "".join(output.get("text") or data.get("text/plain") or "")
    return f"```text\n{text}\n```" if text else ""
