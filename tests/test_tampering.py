"""Each tampering of the catalogue is found, and named by the check that is for it; what cannot be found is said too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from corpus.dataset_key import make_key
from corpus.errors import AuditFailed, DatasetError
from corpus.evidence.store import canonical
from corpus.proving import prove
from corpus.verification.findings import CHECKS, Report
from corpus.verification.whole import OF_EXPORT, OF_VERSION
from corpus_verify.errors import Refused
from corpus_verify.proof import check
from tests.tampering import CATALOGUE, World, checksum, rewrite_in_vain
from tests.whole_dataset import NAME, Whole, whole_dataset

FIRST_FIVE = (
    "a value in a file forged, its size kept",
    "userMetadata forged",
    "an add line removed",
    "the last commit replaced",
    "a middle commit deleted",
)
"""What Delta's own readers were tried with."""
FOUND: dict[str, bool] = {}
"""By its name, whether a tampering was found by the check that is for it."""


def world_in(root: Path, tree_key: bytes | None = None) -> World:
    """A dataset; and, kept elsewhere, all of it as it was after version 2, and its newest checkpoint."""
    whole, kept = Whole(root / "warehouse", root / "keys"), root / "kept"
    whole_dataset(root, tree_key, lambda n: n == 2 and shutil.copytree(whole.warehouse, kept / "warehouse"))
    shutil.copy(whole.folder / "evidence/log/checkpoint", kept / "checkpoint")
    return World(whole, kept)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_in(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def world(made: World, tmp_path: Path) -> World:
    """A copy of it, to change."""
    shutil.copytree(made.whole.warehouse, tmp_path / "warehouse")
    return replace(made, whole=replace(made.whole, warehouse=tmp_path / "warehouse"))


def failed(report: Report) -> set[str]:
    return {f"{finding.check} of {finding.about}" for finding in report.of("FAILED")}


@pytest.mark.parametrize("name", CATALOGUE)
def test_tampering_is_found_by_the_check_that_is_for_it(world: World, name: str) -> None:
    tamper, expected = CATALOGUE[name]
    FOUND[name] = False
    tamper(world)
    assert expected <= failed(world.verify())
    FOUND[name] = True


def test_the_untouched_dataset_passes_everything(made: World) -> None:
    report = made.verify()
    assert failed(report) == set()
    assert [finding.check for finding in report.of("not checked")] == ["time stamps"]
    assert {finding.check for finding in report.findings} == set(CHECKS) - set(OF_EXPORT)
    assert len(report.of("passed")) == len(CHECKS) - len(OF_EXPORT) - 1 + 2 * len(OF_VERSION)


def test_one_version_is_checked_with_the_dataset_and_without_the_others(made: World) -> None:
    report = made.verify(2)
    assert {finding.about for finding in report.findings} == {NAME, f"{NAME}@2"}
    with pytest.raises(DatasetError, match="uk-social@9 is no build's version; there is 1, 2, 3"):
        made.verify(9)


def test_a_checksum_that_is_true_is_no_finding(world: World) -> None:
    checksum()(world)
    assert failed(world.verify()) == set()


def test_an_optimize_that_keeps_the_rows_is_no_finding(world: World) -> None:
    rewrite_in_vain(world)
    assert failed(world.verify()) == set()


def test_what_is_not_given_is_not_passed(made: World) -> None:
    report = made.verify(key_file=None, public=None, since=None)
    unchecked = [finding.check for finding in report.of("not checked")]
    assert unchecked == ["public key", "kept checkpoint", "time stamps", *["tokens", "document ids"] * 3]
    assert failed(report) == set()


def test_a_whole_warehouse_put_back_is_found_by_a_kept_checkpoint_alone(world: World) -> None:
    shutil.rmtree(world.whole.warehouse)
    shutil.copytree(world.kept / "warehouse", world.whole.warehouse)
    assert failed(world.verify()) == {"kept checkpoint of uk-social"}
    alone = world.verify(since=None)
    assert failed(alone) == set()
    assert "kept checkpoint" in [finding.check for finding in alone.of("not checked")]


def test_an_older_checkpoint_is_extended(made: World) -> None:
    older = (made.kept / "warehouse" / NAME / "evidence/log/checkpoint").read_text()
    assert failed(made.verify(since=older)) == set()


@pytest.mark.parametrize("since", ["", "corpus/uk-social\n3\nAAAA\n", "no checkpoint"])
def test_what_is_no_checkpoint_of_the_log_is_not_extended(made: World, since: str) -> None:
    assert failed(made.verify(since=since)) == {"kept checkpoint of uk-social"}


def test_trees_grown_under_another_key_are_found_with_the_datasets_key_alone(tmp_path: Path) -> None:
    """Everything is signed: only who has the key can tell that proofs would be about other ids."""
    other = world_in(tmp_path, make_key(tmp_path / "other.key"))
    expected = {f"tokens of {NAME}@{number}" for number in (1, 2, 3)}
    assert failed(other.verify()) == expected
    assert failed(other.verify(key_file=None)) == set()


def test_another_datasets_key_is_refused(made: World, tmp_path: Path) -> None:
    make_key(tmp_path / "other.key")
    with pytest.raises(DatasetError, match="is not that of uk-social"):
        made.verify(key_file=tmp_path / "other.key")


def test_versions_past_their_time_may_be_gone(world: World) -> None:
    """Files that VACUUM took after the retention are no tampering, and no pass."""
    world.file(1).unlink()
    assert "opens of uk-social@1" in failed(world.verify())
    report = world.verify(now=world.now.replace(year=2040))
    about = {(finding.check, finding.about): finding for finding in report.findings}
    gone = about["opens", "uk-social@1"]
    assert gone.outcome == "not checked"
    assert gone.found.endswith("that is past (1 files are gone)")
    assert about["files", "uk-social@1"].outcome == "not checked"
    assert about["inputs", "uk-social@1"].outcome == "not checked"
    assert about["files", "uk-social@2"].outcome == "passed"


@pytest.mark.parametrize("name", FIRST_FIVE)
def test_of_the_first_five_deltas_readers_notice_at_most_the_missing_commit(world: World, name: str) -> None:
    CATALOGUE[name][0](world)
    noticed = []
    for version in (1, 2, 3):
        try:
            DeltaTable(world.folder / "snapshot", version=version).to_pyarrow_table()
        except Exception:  # deltalake raises bare Exception for a missing or broken file
            noticed.append(version)
    assert not noticed or name == "a middle commit deleted"


Forge = Callable[[dict[str, Any]], object]
FORGERIES: dict[str, tuple[str, Forge]] = {
    "a wrong neighbour": ("stranger", lambda proof: proof["tokens"][0].update(leaf="0" * 128)),
    "neighbours that are none": ("stranger", lambda proof: proof["tokens"].pop()),
    "a wrong count": ("p5", lambda proof: proof["bucket"].update(count=str(int(proof["bucket"]["count"]) + 1))),
    "a wrong path": ("p5", lambda proof: proof["path"].__setitem__(0, "0" * 64)),
    "a wrong path of a token": ("p5", lambda proof: proof["tokens"][0]["path"].__setitem__(0, "0" * 64)),
    "a wrong index": ("p5", lambda proof: proof["tokens"][0].update(index=str(int(proof["tokens"][0]["index"]) ^ 1))),
    "a wrong bucket": ("p5", lambda proof: proof["bucket"].update(index=str(int(proof["bucket"]["index"]) ^ 1))),
    "a wrong bucket key": ("p5", lambda proof: proof["bucket"].update(key="0" * 64)),
    "a wrong place in the log": ("p5", lambda proof: proof["log"].update(index="0")),
    "another claim": ("p5", lambda proof: proof["claim"].update({"is": "not in"})),
    "another id": ("p5", lambda proof: proof["claim"].update(id="p6")),
    "another record": ("p5", lambda proof: proof["record"].update(rows="1")),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_proof_is_refused(made: World, name: str) -> None:
    about, forge = FORGERIES[name]
    FOUND[f"proof: {name}"] = False
    content = prove(made.whole.warehouse, (NAME, 3), ("post", about), made.whole.key_file).content
    check(content, made.public)
    proof = json.loads(content)
    forge(proof)
    assert canonical(proof) != content
    with pytest.raises(Refused):
        check(canonical(proof), made.public)
    FOUND[f"proof: {name}"] = True


def corpus(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from corpus.cli import main; main()", "verify", *arguments]
    environment = os.environ | {"CORPUS_WAREHOUSE": str(world.whole.warehouse)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_command_names_what_failed_what_it_means_and_what_to_do(world: World) -> None:
    (world.folder / "evidence/statements" / f"{2:020d}.json").unlink()
    done = corpus(world, NAME)
    assert done.returncode == AuditFailed.exit_code
    for expected in (
        "passed       uk-social@2  rows             59 rows, digest ",
        "not checked  uk-social    kept checkpoint  no checkpoint that was kept elsewhere was given (--since)",
        "FAILED: statement of uk-social@2\n  found:    there is no 00000000000000000002.json\n  expected: a statement",
        "\n  meaning:  Somebody changed the statement",
        "\n  to do:    Restore the file from a backup",
        "What was not checked is not thereby right",
    ):
        assert expected in done.stdout
    assert "uk-social is not what was signed. 2 checks failed: history of uk-social, statement of" in done.stderr


def test_the_command_takes_keys_and_a_checkpoint_and_gives_json(made: World) -> None:
    public = made.whole.signing_key.with_suffix(".public.pem")
    kept = ["--public", str(public), "--since", str(made.kept / "checkpoint"), "--key", str(made.whole.key_file)]
    done = corpus(made, f"{NAME}@3", *kept, "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["dataset"], said["failed"], said["not_checked"]) == (0, NAME, 0, 1)
    assert said["passed"] == len(CHECKS) - len(OF_EXPORT) - 1
    assert {finding["outcome"] for finding in said["findings"]} == {"passed", "not checked"}


def test_all_that_was_tried_was_found() -> None:
    print(f"\nfound {sum(FOUND.values())} of {len(FOUND)}")
    assert all(FOUND.values())


def test_the_page_counts_them() -> None:
    page = (Path(__file__).parent.parent / "docs/verify.md").read_text(encoding="utf-8")
    assert f"in {len(CATALOGUE)} ways and a proof in {len(FORGERIES)};" in page
