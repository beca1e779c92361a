"""What builds and readers need of this machine, checked before they need it: each line says how to mend what is wrong.

Nothing is changed, and no Java is started.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from corpus.dataset_key import read_own_key
from corpus.errors import CorpusError, EnvironmentFault
from corpus.evidence.keys import default_place, signer_of
from corpus.evidence.store import dataset_names
from corpus.java import java_by_its_files
from corpus.session import known_jars, read_conf
from corpus.versions import opened, table_property, versions

PYTHONS = ((3, 11), (3, 13))
GIGABYTE = 1 << 30
DISK_WRONG, DISK_SCARCE = 1 * GIGABYTE, 5 * GIGABYTE
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": GIGABYTE, "t": 1 << 40}
TABLES = ("members", "exclusions", "grounds", "objections")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, and what to do about it unless it is ok."""

    what: str
    state: Literal["ok", "warning", "wrong"]
    found: str
    to_do: str = ""


def examined(warehouse: Path, keys: Path, conf: Path) -> list[Check]:
    """Everything that can be looked at without starting Spark; `keys` is the folder of the datasets' keys."""
    settings = read_conf(conf)
    checks = [_python(), _packages(), _java(), _jars(settings), _memory(settings)]
    return [*checks, *_disks(warehouse), *_warehouse(warehouse, keys)]


def require_none_wrong(checks: list[Check]) -> None:
    """Raises EnvironmentFault that names what is wrong, if anything is."""
    wrong = [check.what for check in checks if check.state == "wrong"]
    if wrong:
        raise EnvironmentFault(f"{len(wrong)} of {len(checks)} checks found something wrong: {', '.join(wrong)}.")


def _python() -> Check:
    found, (first, last) = sys.version_info[:2], PYTHONS
    if first <= found <= last:
        return Check("Python", "ok", f"{sys.version.split()[0]} in {sys.executable}")
    return Check("Python", "wrong", f"{found[0]}.{found[1]}", "Use Python 3.11, 3.12 or 3.13: `make setup` finds one.")


def _packages() -> Check:
    """Whether the packages are those that the project pins."""
    pins = [re.match(r"([\w.-]+)(?:\[[\w,]+\])?==([\w.]+)$", line) for line in metadata.requires("corpus") or []]
    others = [other for pin in pins if pin and (other := _other_version(pin[1], pin[2]))]
    if not others:
        return Check("packages", "ok", f"{sum(pin is not None for pin in pins)} as pinned")
    state: Literal["wrong", "warning"] = "wrong" if any("missing" in other for other in others) else "warning"
    return Check("packages", state, "; ".join(others), "Run `make setup`, which installs what the lock says.")


def _other_version(package: str, pinned: str) -> str:
    try:
        found = metadata.version(package)
    except metadata.PackageNotFoundError:
        return f"{package} is missing"
    return "" if found == pinned else f"{package} is {found}, pinned is {pinned}"


def _java() -> Check:
    if found := java_by_its_files():
        return Check("Java", "ok", f"{found[1]} in {found[0]}")
    mend = "Install Java 17 or 21, or set JAVA_HOME to one; `corpus doctor --spark` asks every Java that there is."
    return Check("Java", "wrong", "none whose files say that it is 17 or 21", mend)


def _jars(settings: dict[str, str]) -> Check:
    wanted = settings.get("spark.jars.packages", "none")
    if jars := known_jars(settings):
        return Check("Delta's jars", "ok", f"{len(jars)} known for {wanted}")
    mend = "The first start of Spark fetches them (90 MB): see to the network, or to a mirror as docs/install.md says."
    return Check("Delta's jars", "warning", f"none known for {wanted}", mend)


def _memory(settings: dict[str, str]) -> Check:
    """Whether the machine, or the container, has what Spark's driver is set to take."""
    asked, there, free = as_bytes(settings.get("spark.driver.memory", "1g")), _limit(), _available()
    said = f"{_size(there)}, {_size(free)} of them free; Spark takes up to {_size(asked)}"
    if asked > there:
        return Check("memory", "wrong", said, "Lower spark.driver.memory in conf/spark/local.conf.")
    if asked > free:
        return Check("memory", "warning", said, "Close other programs before a build, or lower spark.driver.memory.")
    return Check("memory", "ok", said)


def as_bytes(setting: str) -> int:
    """A size as Spark's settings write it; without a unit it is in MiB.

    >>> as_bytes("4g") == as_bytes("4096")
    True
    """
    found = re.fullmatch(r"(\d+)([kmgt]?)b?", setting.strip().lower())
    return int(found[1]) * UNITS[found[2] or "m"] if found else 0


def _limit() -> int:
    """The memory of this machine, or of the container where that is less."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    said = limit.read_text().strip() if limit.is_file() else ""
    return min(whole, int(said)) if said.isdecimal() else whole


def _available() -> int:
    """What programs could still take, as Linux says; elsewhere all of it."""
    meminfo = Path("/proc/meminfo")
    found = re.search(r"MemAvailable:\s+(\d+)", meminfo.read_text()) if meminfo.is_file() else None
    return min(int(found[1]) * 1024, _limit()) if found else _limit()


def _size(n: int) -> str:
    return f"{n / GIGABYTE:.1f} GB"


def _disks(warehouse: Path) -> Iterator[Check]:
    """Free disk where versions are written, and where Spark keeps what memory cannot hold."""
    for what, folder in (("disk of the warehouse", _there(warehouse)), ("disk of Spark", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free
        state: Literal["ok", "warning", "wrong"] = (
            "wrong" if free < DISK_WRONG else "warning" if free < DISK_SCARCE else "ok"
        )
        mend = "" if state == "ok" else f"Make room: a build writes its tables anew, and wants {_size(DISK_SCARCE)}."
        yield Check(what, state, f"{_size(free)} free on that of {folder}", mend)


def _there(folder: Path) -> Path:
    """The folder, or the nearest above it that there is."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir())


def _warehouse(warehouse: Path, keys: Path) -> Iterator[Check]:
    if not warehouse.is_dir():
        mend = "The first build makes it; or name another by --warehouse or CORPUS_WAREHOUSE."
        yield Check("warehouse", "warning", f"there is no folder {warehouse}", mend)
        return
    if os.access(warehouse, os.W_OK | os.X_OK):
        yield Check("warehouse", "ok", f"{warehouse.absolute()} may be written")
    else:
        mend = "Reading works; to build, ask its owner for the right to write."
        yield Check("warehouse", "warning", f"{warehouse.absolute()} may be read only", mend)
    for folder in (warehouse / name for name in dataset_names(warehouse)):
        found = _dataset(folder)
        yield found
        if found.state != "wrong":
            yield from _keys(folder, keys / f"{folder.name}.key")


def _dataset(folder: Path) -> Check:
    try:
        builds = [version for version in versions(folder.parent, folder.name) if version.build_id]
    except CorpusError as broken:
        return Check(folder.name, "wrong", str(broken), "Restore it from a backup; `corpus verify` says what differs.")
    hidden = [table for table in TABLES if not _opens(folder, table)]
    said = f"{len(builds)} version(s), {sum(version.kind == 'unsealed' for version in builds)} of them unsealed"
    if hidden:
        mend = "Analysts need no more. Whoever answers about people asks the dataset's owner for the right to read."
        return Check(folder.name, "warning", f"{said}; not there or not to be read: {', '.join(hidden)}", mend)
    return Check(folder.name, "ok", said)


def _opens(folder: Path, table: str) -> bool:
    try:
        opened(folder, t=table)
    except CorpusError:
        return False
    return True


def _keys(folder: Path, key: Path) -> Iterator[Check]:
    """The dataset's two keys, if they are here: for whom to read, and whether they are the dataset's."""
    expected, signing = table_property(folder, "corpus.keyId"), default_place(key)
    yield _key(f"{folder.name}: key", key, lambda: read_own_key(key, folder.name, expected))
    yield _key(f"{folder.name}: signing key", signing, lambda: signer_of(folder, signing))


def _key(what: str, place: Path, read: Callable[[], object]) -> Check:
    if not place.exists():
        mend = "Readers need none. Whoever builds restores it from the backup, or names its folder by --keys."
        return Check(what, "warning", f"there is no file {place}", mend)
    try:
        read()
    except CorpusError as wrong:
        return Check(what, "wrong", str(wrong), "Mend it before the next build, which would refuse.")
    return Check(what, "ok", f"{place}, its owner's alone, and the dataset's")
