"""The house keeps its shape: imports go one way, bits stay, readers start no Spark, nothing grows past its limits."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.reasons import Group, Reason

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src/corpus").rglob("*.py"))
JOBS = sorted((ROOT / "jobs").glob("*.py"))

LAYERS = [
    "cli",
    "console",
    "demo receipts proving reader registering recalls subject doctor report sql export",
    "render reproduction uses staleness verification operations",
    "audit exports funnel_shown",
    "query lookups build founding synth vectors policy_impact changes causes",
    "clearance seal",
    "request",
    "versions evidence gates",
    "archive snapshot funnel facts grounds",
    "tables",
    "pipeline",
    "accounts notices objections posts references alike copies duplicates ingest",
    "rereading",
    "sources files arrivals mapping",
    "resolution",
    "catalogs rules verdicts staging inputs keys local_time text text_html minhash keyed arguments session cluster",
    "policy_explained policy_changes policy_words",
    "policy progress java abreast dataset_key mishaps",
    "durable",
    "config reasons schemas",
    "errors",
]
"""Who may import whom: a module uses its own row and those below."""

LINES_OF_CODE = 15300
"""More than the 6,000 lines that were meant for the whole: docs/adr/0004-size.md says why."""

READERS = [
    "cli",
    "query",
    "changes",
    "causes",
    "versions",
    "receipts",
    "subject",
    "funnel_shown",
    "proving",
    "console.serving",
    "console.site",
    "console.pages",
    "console.asking",
    "exports.forms",
    "operations.watched",
    "export.making",
    "report.gathered",
    "report.page",
    "recalls",
    "sql.grammar",
    "sql.answers",
    "sql.engine",
    "sql.shown",
    "sql.shell",
    "sql.catalog",
    "uses",
    "verification.whole",
    "render",
    "progress",
    "arguments",
    "dataset_key",
    "catalogs",
    "lookups",
    "policy",
    "policy_words",
    "policy_explained",
    "policy_changes",
    "config",
    "reasons",
    "schemas",
    "errors",
]
"""What answers without a JVM, beside the evidence, of which only the trees are grown in Spark."""

BITS = """
    PROFILE_MISSING PROFILE_CONFLICT AGE_UNKNOWN MINOR_AT_CUTOFF MINOR_AT_POST AGE_CONFLICT COUNTRY_UNKNOWN
    COUNTRY_OUT_OF_SCOPE COUNTRY_CHANGED ACCOUNT_NOT_ACTIVE ACCOUNT_TYPE_UNSUPPORTED ACCOUNT_PRIVATE
    NOTICE_NOT_DELIVERED NOTICE_SUPERSEDED WINDOW_OPEN OBJECTED OBJECTION_PENDING OBJECTION_REJECTED OBJECTED_LINKED
    OBJECTED_SAME_PERSON OBJECTION_WITHDRAWN_COOLING ERASURE_REQUESTED PLATFORM_OUT_OF_SCOPE SURFACE_NOT_ALLOWED
    NOT_PUBLIC COMMENT_AUTHOR_PRIVATE DELETED REMOVED_MODERATION VISIBILITY_CHANGED EDITED_AFTER_CUTOFF TIME_INVALID
    OUT_OF_WINDOW POST_OBJECTED COAUTHOR_INELIGIBLE RESHARE_SOURCE_INELIGIBLE MENTIONS_OBJECTOR TAGS_OBJECTOR
    THIRD_PARTY_REQUEST FLAGGED_CONTENT TEXT_EMPTY POST_CONFLICT OBJECTOR_TEXT_COPY EXACT_DUPLICATE NEAR_DUPLICATE
"""
"""Bit by bit from 0; this list may grow at its end, and never change: old exclusions are read by it."""


def layer(module: str) -> int:
    return next(row for row, names in enumerate(LAYERS) if module in names.split())


def imported(path: Path) -> Iterator[str]:
    """The modules (or packages) of corpus that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "corpus":
            yield from (name.name for name in node.names if name.name != "__version__")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("corpus."):
            yield str(node.module).split(".")[1]


def module_of(path: Path) -> str:
    return path.relative_to(ROOT / "src/corpus").with_suffix("").parts[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_imports_go_one_way(path: Path) -> None:
    if path.name == "__init__.py" and path.parent.name == "corpus":
        return
    upwards = {name for name in imported(path) if layer(name) < layer(module_of(path))}
    assert not upwards, f"{path.name} imports from above: {upwards}"


def test_no_module_imports_itself_round_a_corner() -> None:
    uses: dict[str, set[str]] = {}
    for path in SOURCES:
        uses.setdefault(module_of(path), set()).update(set(imported(path)) - {module_of(path)})
    while free := {name for name, used in uses.items() if not used & uses.keys()}:
        uses = {name: used for name, used in uses.items() if name not in free}
    assert not uses, f"these import one another in a circle: {sorted(uses)}"


def test_readers_load_no_spark_and_nothing_builds_columns_at_import_time() -> None:
    modules = [".".join(path.relative_to(ROOT / "src").with_suffix("").parts) for path in SOURCES]
    evidence = [name for name in modules if name.startswith("corpus.evidence.") and name != "corpus.evidence.trees"]
    readers = [*(f"corpus.{name}" for name in READERS), *(name.removesuffix(".__init__") for name in evidence)]
    script = (
        f"import sys, importlib\n[importlib.import_module(name) for name in {readers}]\n"
        "assert 'pyspark' not in sys.modules, 'a reader loads pyspark'\n"
        f"[importlib.import_module(name.removesuffix('.__init__')) for name in {modules}]"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_a_reason_keeps_its_bit_for_ever() -> None:
    assert [reason.name for reason in sorted(Reason, key=lambda reason: reason.bit)] == BITS.split()
    assert sorted(reason.bit for reason in Reason) == list(range(len(BITS.split())))


def test_reasons_rank_by_group() -> None:
    groups = [list(Group).index(reason.group) for reason in Reason]
    assert groups == sorted(groups)


def test_every_join_says_how() -> None:
    silent = [
        f"{path.name}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "join"
        and len(node.args) + len(node.keywords) > 1
        and "how" not in {keyword.arg for keyword in node.keywords}
    ]
    assert not silent


def test_nothing_unordered_or_clock_dependent_decides() -> None:
    banned = re.compile(
        r"F\.(monotonically_increasing_id|rand|randn|uuid|any_value|current_timestamp|current_date|now|spark_partition_id)"
        r"\(|\.(dropDuplicates|drop_duplicates)\(|\bF\.udf\(|pandas_udf"
    )
    found = [
        f"{path.name}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if banned.search(line)
    ]
    assert not found


def test_the_whole_can_be_read_in_an_afternoon() -> None:
    written = sum(lines_of_code(path) for path in [*SOURCES, *JOBS])
    assert written < LINES_OF_CODE, f"src and jobs together have {written} lines of code; see docs/adr"


def lines_of_code(path: Path) -> int:
    """The lines of a file that are no blank, comment or docstring, as counting tools have it."""
    text = path.read_text(encoding="utf-8")
    said = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    docs = {line for node in said for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    bare = [line.strip() for n, line in enumerate(text.splitlines(), 1) if n not in docs]
    return sum(bool(line) and not line.startswith("#") for line in bare)


def test_no_file_or_function_grows_past_its_limit() -> None:
    limits = {path: 60 if path in JOBS else 320 for path in [*SOURCES, *JOBS]}
    files = [f"{path.name}: {lines_of(path)} lines" for path, limit in limits.items() if lines_of(path) > limit]
    functions = [
        f"{path.name}: {node.name}"
        for path in limits
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 50
    ]
    assert not files + functions


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
