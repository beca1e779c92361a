"""A small UK world, three versions of a dataset made from it, and a tour that explains them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpus import query, render
from corpus.arguments import conf_file
from corpus.catalogs import delta_at
from corpus.errors import ConfigError
from corpus.lookups import LookUp, register, user
from corpus.progress import step
from corpus.reasons import OBJECTION_REASONS
from corpus.schemas import INPUTS
from corpus.versions import Row, Version, literal, opened, select, versions

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# ruff: noqa: PLC0415 (a second tour of the same demo needs no Spark)
# ruff: noqa: S608 (whatever comes from outside stands in the SQL as a literal)

DATASET = "uk-social"
WAVES = 3
MARKER = ".corpus-demo.json"

GOVERNANCE = """[governance]                             # fictional: nobody assessed or approved this invented world
dpia = {id = "DEMO-DPIA-NOT-REAL", expires = 2036-01-01}
lia = {id = "DEMO-LIA-NOT-REAL"}
approved_by = "Nobody (demo)"
approved_on = 2026-01-01
"""


_ABOUT = """\
Each build is one version; no build changes an earlier one. The people and posts are invented, and so is
the governance in the demo's policy: the real policy refuses to build until somebody fills it in."""


def demo(folder: Path, posts: int, fresh: bool, session: Callable[[], AbstractContextManager[SparkSession]]) -> None:
    """Makes the demo in this folder, unless it is there already, and prints the tour."""
    if _prepared(folder, posts, fresh):
        render.say(f"The demo is in {folder} already; --fresh makes it anew.")
        tour(folder, None)
        return
    with session() as spark:
        make(spark, folder.absolute(), posts)
        tour(folder, spark)


def _prepared(folder: Path, posts: int, fresh: bool) -> bool:
    """Whether a finished demo of this size is there; what an earlier or interrupted one left is removed."""
    marker = folder / MARKER
    if not marker.exists() and folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} holds other things than a demo; name an empty or a new folder.")
    told: dict[str, Any] = json.loads(marker.read_text()) if marker.exists() else {}
    if told.get("finished") and not fresh:
        if told["posts"] != posts:
            raise ConfigError(f"{folder} holds a demo of {told['posts']} posts; say --fresh for one of {posts}.")
        return True
    if marker.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text(json.dumps({"posts": posts, "finished": False}))
    return False


def make(spark: SparkSession, folder: Path, posts: int) -> None:
    """The world, and three builds of it with a wave of objections before each but the first."""
    as_of = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=WAVES)
    _write_policy(folder / "uk-social.toml")
    for wave in range(WAVES):
        with step(f"version {wave + 1} of {WAVES}"):
            _make_version(spark, folder, posts, wave, as_of)
    (folder / MARKER).write_text(json.dumps({"posts": posts, "finished": True}))


def _make_version(spark: SparkSession, folder: Path, posts: int, wave: int, as_of: datetime) -> None:
    from corpus.build import build
    from corpus.ingest import ingest
    from corpus.policy import read_policy
    from corpus.request import BuildRequest
    from corpus.sources import read_source
    from corpus.synth import world, write_world

    exports = folder / f"exports/hour-{wave}"
    with step("making the world" if not wave else "an hour later: new posts, and a wave of objections"):
        write_world(world(spark, posts=posts, seed=1, as_of=as_of, wave=wave), exports, format="parquet")
    source = read_source(_write_source(folder, exports))
    with step("ingesting its files"):
        ingest(spark, source)
    request = BuildRequest(
        dataset=DATASET,
        warehouse=folder / "warehouse",
        source=source,
        policy=read_policy(folder / "uk-social.toml"),
        cutoff=as_of + timedelta(hours=wave),
        now=datetime.now(UTC),
        key_file=folder / "uk-social.key",
    )
    build(spark, request)


def _write_policy(path: Path) -> None:
    """The uk-social policy with fictional governance; the real one leaves it empty, so that it refuses to build."""
    rules, _, _ = conf_file("policies", "uk-social").read_text(encoding="utf-8").partition("\n[governance]")
    path.write_text(f"{rules}\n{GOVERNANCE}", encoding="utf-8")


def _write_source(folder: Path, exports: Path) -> Path:
    """A source file that says where the newest export is, and where ingest keeps its tables."""
    lines = ['name = "uk-social-demo"', f"store = {json.dumps(str(folder / 'inputs'))}"]
    for table in INPUTS:
        lines += ["", f"[{table}]", f"files = {json.dumps(str(exports / table))}", 'format = "parquet"']
    (folder / "source.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "source.toml"


def tour(folder: Path, spark: SparkSession | None) -> None:
    """What a newcomer should see first; with a session, the same rows read by Spark SQL too."""
    warehouse = folder / "warehouse"
    before, after = [version for version in versions(warehouse, DATASET) if version.kind == "build"][-2:]
    _tour_versions(warehouse, after)
    _tour_change(warehouse, before, after)
    post = _tour_person(warehouse, before, after)
    _tour_spark_sql(warehouse, after, spark)
    _tour_end(warehouse, before, after, post)


def _chapter(title: str, *explanation: str) -> None:
    render.say()
    render.say(title, style="bold cyan")
    for line in explanation:
        render.say(line)
    render.say()


def _tour_versions(warehouse: Path, newest: Version) -> None:
    _chapter("The versions", *_ABOUT.splitlines())
    render.log(versions(warehouse, DATASET))
    _chapter(
        f"Why posts are not in {newest.name}",
        f"{render.kept(newest.predicate)}. 'in all' counts a reason wherever it occurs,",
        "'first' only where no higher reason stands beside it.",
    )
    render.funnel(newest.predicate, most=12)


def _tour_change(warehouse: Path, before: Version, after: Version) -> None:
    _chapter(f"What changed from {before.name} to {after.name}", "New posts, and a wave of objections in between.")
    render.diff(query.diff(warehouse, DATASET, (before.number, after.number), samples=1))


def _tour_person(warehouse: Path, before: Version, after: Version) -> str:
    """One person who left, and one of their posts."""
    gone = who_left(warehouse, before, after)
    reason = gone["primary_reason"]
    _chapter(
        f"One person who is in {before.name} and gone from {after.name}",
        f"Account {gone['account_id']} had {gone['posts']} post(s) in {before.name} and has none in {after.name}: "
        f"{query.meaning(reason)} ({reason}).",
        f"`corpus why {DATASET} {gone['post_id']} --restricted` says of one of them, and the register keeps who asked:",
    )
    register(warehouse / DATASET, LookUp(user(), "the tour of the demo", "why", "post", gone["post_id"]))
    render.why(query.why(warehouse, DATASET, None, gone["post_id"]))
    return str(gone["post_id"])


def who_left(warehouse: Path, before: Version, after: Version) -> Row:
    """The account with most posts in one version and none in the next, an objector if there is one."""
    objections = ", ".join(literal(reason.name) for reason in OBJECTION_REASONS)
    found = select(opened(warehouse / DATASET, m="members", x="exclusions"), DATASET, f"""
        SELECT m.account_id, x.primary_reason, count(*) AS posts, min(m.post_id) AS post_id
        FROM m JOIN x ON x.post_id = m.post_id
        WHERE m.build_id = {literal(before.build_id)} AND m.role = 'author' AND x.build_id = {literal(after.build_id)}
          AND m.account_id NOT IN (SELECT account_id FROM m WHERE build_id = {literal(after.build_id)})
        GROUP BY m.account_id, x.primary_reason
        ORDER BY x.primary_reason IN ({objections}) DESC, posts DESC, m.account_id LIMIT 1""")  # fmt: skip
    return found[0]


def spark_sql(warehouse: Path, version: Version) -> str:
    """A query that opens one version by its number."""
    rows = f"{delta_at(warehouse.absolute() / DATASET / 'snapshot')} VERSION AS OF {version.number}"
    return f"SELECT surface, count(*) AS documents FROM {rows} GROUP BY surface ORDER BY surface"


def _tour_spark_sql(warehouse: Path, version: Version, spark: SparkSession | None) -> None:
    sql = spark_sql(warehouse, version)
    _chapter("The same version in Spark SQL", "Any Spark with Delta opens it by its number:")
    render.say(sql)
    if spark:
        render.say()
        rows = spark.sql(sql).collect()  # one row per surface
        render.tell(("surface", "documents"), [tuple(row) for row in rows], numbers=("documents",))


def _tour_end(warehouse: Path, before: Version, after: Version, post: str) -> None:
    program = "corpus" if shutil.which("corpus") else os.path.relpath(Path(sys.executable).parent / "corpus")
    _chapter("Try next", f"(or `export CORPUS_WAREHOUSE={warehouse}` once, and leave --warehouse out)")
    diff = f"diff {DATASET}@{before.number}..{after.number} --text"
    proof = f"prove {after.name} --post {post} --key {warehouse.parent / DATASET}.key"
    looking = (f"why {DATASET} {post} --restricted --purpose trying", f"lookups {DATASET} --post {post}")
    for command in (f"log {DATASET}", f"show {after.name}", diff, *looking, proof):
        render.say(f"{program} {command} --warehouse {warehouse}")
