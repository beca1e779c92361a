"""Packs what a job takes to a cluster into dist/: corpus.zip (--py-files) and corpus-deps.tar.gz (--archives …#deps).

The libraries are those of requirements.lock as they stand in this environment, without Spark itself: they fit machines
with the same Python version, system and processor. The same environment gives the same archives.
"""

from __future__ import annotations

import gzip
import re
import tarfile
from importlib.metadata import PackageNotFoundError, PackagePath, distribution
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
PACKAGES = [ROOT / "src/corpus", ROOT / "verifier/src/corpus_verify"]
ON_THE_CLUSTER = {"pyspark", "py4j", "colorama"}


def pack_package(folder: Path = DIST) -> Path:
    """The package and its verifier alone, importable as they are."""
    out = folder / "corpus.zip"
    with ZipFile(out, "w", ZIP_DEFLATED) as pack:
        for package in PACKAGES:
            for path in sorted(package.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    entry = ZipInfo(path.relative_to(package.parent).as_posix())
                    entry.external_attr = 0o644 << 16
                    pack.writestr(entry, path.read_bytes(), ZIP_DEFLATED)
    return out


def pack_libraries(folder: Path = DIST) -> Path:
    """Every locked library with all its files."""
    out = folder / "corpus-deps.tar.gz"
    files = {str(file): Path(str(file.locate())) for name in locked_libraries() for file in _files(name)}
    part = out.with_name(f"{out.name}.part")
    with (
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", 4, raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as pack,
    ):
        for name, path in sorted(files.items()):
            _add(pack, name, path.read_bytes())
    return part.replace(out)


def locked_libraries() -> list[str]:
    """The names in requirements.lock that are for this system, and that a cluster with Spark has not."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = map(Requirement, re.findall(r"^[a-z][^\\\n]+", lock, re.MULTILINE))
    return sorted({each.name for each in locked if not each.marker or each.marker.evaluate()} - ON_THE_CLUSTER)


def _files(name: str) -> list[PackagePath]:
    try:
        listed = distribution(name).files or []
    except PackageNotFoundError:
        raise SystemExit(f"make dist: {name} is in requirements.lock but not installed; run make setup.") from None
    return [file for file in listed if ".." not in file.parts and "__pycache__" not in file.parts]


def _add(pack: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    pack.addfile(entry, BytesIO(content))


if __name__ == "__main__":
    DIST.mkdir(exist_ok=True)
    for made in (pack_package(), pack_libraries()):
        print(f"{made.relative_to(ROOT)}  {made.stat().st_size / 1e6:.1f} MB")
