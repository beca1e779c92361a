"""The machine is looked at before a build fails on it; each finding says how to mend it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpus import doctor
from corpus.arguments import conf_file
from corpus.cli import app
from corpus.doctor import Check, examined
from corpus.errors import EnvironmentFault
from corpus.evidence.keys import make_signer
from corpus.java import java_by_its_files
from tests.small_dataset import small_dataset
from tests.whole_dataset import Whole, whole_dataset


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return whole_dataset(tmp_path_factory.mktemp("doctor"))


@pytest.fixture
def whole(made: Whole, tmp_path: Path) -> Whole:
    shutil.copytree(made.warehouse, tmp_path / "warehouse")
    shutil.copytree(made.keys, tmp_path / "keys")
    return Whole(tmp_path / "warehouse", tmp_path / "keys")


def found(whole: Whole, conf: Path | None = None) -> dict[str, Check]:
    checks = examined(whole.warehouse, whole.keys, conf or conf_file("spark", "local"))
    return {check.what: check for check in checks}


def test_a_sound_dataset_with_its_keys_is_ok(whole: Whole) -> None:
    checks = found(whole)
    assert {checks[what].state for what in ("Python", "warehouse", "uk-social")} == {"ok"}
    assert {checks[f"uk-social: {key}"].state for key in ("key", "signing key")} == {"ok"}
    assert "3 version(s), 0 of them unsealed" in checks["uk-social"].found


def test_keys_that_others_may_read_are_wrong_and_missing_ones_are_not(whole: Whole) -> None:
    whole.key_file.chmod(0o644)
    whole.signing_key.unlink()
    checks = found(whole)
    assert checks["uk-social: key"].state == "wrong"
    assert f"chmod 600 {whole.key_file}" in checks["uk-social: key"].found
    assert checks["uk-social: signing key"].state == "warning"


def test_keys_of_another_dataset_are_wrong(whole: Whole) -> None:
    whole.key_file.write_text("0" * 64)
    whole.signing_key.unlink()
    make_signer(whole.signing_key)
    checks = found(whole)
    for key in ("key", "signing key"):
        assert (checks[f"uk-social: {key}"].state, "is not that of uk-social" in checks[f"uk-social: {key}"].found) == (
            "wrong",
            True,
        )


def test_a_dataset_that_cannot_be_read_is_wrong_and_one_without_restricted_tables_is_an_analysts(whole: Whole) -> None:
    shutil.rmtree(whole.folder / "members")
    assert (found(whole)["uk-social"].state, "members" in found(whole)["uk-social"].found) == ("warning", True)
    (whole.folder / f"evidence/statements/{1:020d}.json").write_text("{")
    assert found(whole)["uk-social"].state == "wrong"
    assert "uk-social: key" not in found(whole)


def test_a_warehouse_that_is_not_there_yet_is_no_fault(whole: Whole, tmp_path: Path) -> None:
    checks = found(Whole(tmp_path / "new/warehouse", whole.keys))
    assert (checks["warehouse"].state, "first build makes it" in checks["warehouse"].to_do) == ("warning", True)
    assert checks["disk of the warehouse"].found.endswith(str(tmp_path))


def test_more_memory_than_there_is_is_wrong(whole: Whole, tmp_path: Path) -> None:
    (tmp_path / "big.conf").write_text("spark.driver.memory 9000g\n")
    memory = found(whole, tmp_path / "big.conf")["memory"]
    assert (memory.state, "Spark takes up to 9000.0 GB" in memory.found) == ("wrong", True)


@pytest.mark.parametrize(
    ("setting", "bytes_"), [("4g", 4 << 30), ("512m", 512 << 20), ("1024", 1 << 30), ("2GB", 2 << 30)]
)
def test_sizes_are_read_as_spark_writes_them(setting: str, bytes_: int) -> None:
    assert doctor.as_bytes(setting) == bytes_


def test_jars_that_no_session_fetched_yet_are_a_warning(whole: Whole, tmp_path: Path) -> None:
    (tmp_path / "other.conf").write_text("spark.jars.packages some.where:else_2.13:0.0.1\n")
    assert found(whole, tmp_path / "other.conf")["Delta's jars"].state == "warning"


def java(folder: Path, release: str | None) -> None:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/java").write_text("#!/bin/sh\nexit 1\n")
    (folder / "bin/java").chmod(0o755)
    if release:
        (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{release}"\n')


def test_java_is_known_by_its_files_and_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, release in (("eight", "1.8.0_402"), ("seventeen", "17.0.9"), ("shim", None)):
        java(tmp_path / name, release)
    path = os.pathsep.join(str(tmp_path / name / "bin") for name in ("shim", "eight", "seventeen"))
    monkeypatch.setenv("PATH", path)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert java_by_its_files() == (tmp_path / "seventeen", 17)


def test_the_command_ends_with_3_where_something_is_wrong(whole: Whole) -> None:
    asked = ["doctor", "--warehouse", str(whole.warehouse), "--keys", str(whole.keys)]
    done = CliRunner().invoke(app, [*asked, "--json"])
    assert (done.exit_code, {line["state"] for line in json.loads(done.output)} <= {"ok", "warning"}) == (0, True)
    whole.key_file.chmod(0o644)
    done = CliRunner().invoke(app, asked)
    assert isinstance(done.exception, EnvironmentFault)
    assert "wrong    uk-social: key" in done.output


def test_a_dataset_of_an_older_layout_without_keys_is_no_fault(tmp_path: Path) -> None:
    small_dataset(tmp_path / "warehouse")
    checks = found(Whole(tmp_path / "warehouse", tmp_path))
    assert checks["uk-social: key"].state == "warning"
    assert "1 of them unsealed" in checks["uk-social"].found
