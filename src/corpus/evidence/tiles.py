"""A log's hashes and entries in files: tiles of up to 256, laid out as C2SP's tlog-tiles has it.

The last tile of a level may be partial; its file is named for its width. A wider file begins with all of a narrower.
"""

from __future__ import annotations

from pathlib import Path

from corpus.errors import DatasetError

WIDTH = 256
ENTRIES = "entries"
_HASH = 32
_MOST_BYTES = 2**16 - 1
_TRIES = 5


def tile_path(folder: Path, level: int | str, index: int, width: int = WIDTH) -> Path:
    """Where the tile of so many hashes (or entries) stands."""
    digits = f"{index:03d}" if index < 1000 else f"{index:0{-(-len(str(index)) // 3) * 3}d}"
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return folder / "tile" / str(level) / (name if width == WIDTH else f"{name}.p/{width}")


def widths(folder: Path, level: int | str, index: int) -> list[int]:
    """The widths in which a tile is there, narrow to wide."""
    whole = tile_path(folder, level, index)
    partial = [int(path.name) for path in whole.with_name(f"{whole.name}.p").glob("[0-9]*") if path.name.isdecimal()]
    return sorted(partial) + [WIDTH] * whole.is_file()


def read_hashes(folder: Path, level: int, index: int, count: int) -> list[bytes]:
    """The first hashes of a tile. Raises DatasetError where they are not there."""
    content = _content(folder, level, index, count) if count else b""
    return [content[at : at + _HASH] for at in range(0, count * _HASH, _HASH)]


def read_entries(folder: Path, index: int, count: int) -> list[bytes]:
    """The first entries of a bundle. Raises DatasetError where they are not there."""
    content = _content(folder, ENTRIES, index, count) if count else b""
    found: list[bytes] = []
    at = 0
    for _ in range(count):
        end = at + 2 + int.from_bytes(content[at : at + 2], "big")
        if end > len(content) or end - at < 2:
            raise _damaged(tile_path(folder, ENTRIES, index), f"it ends before entry {index * WIDTH + len(found)}")
        found.append(content[at + 2 : end])
        at = end
    return found


def packed(entries: list[bytes]) -> bytes:
    """A bundle of entries. Raises DatasetError where one is longer than a log can hold."""
    if any(len(entry) > _MOST_BYTES for entry in entries):
        raise DatasetError(f"An entry of the log may have {_MOST_BYTES} bytes; found one of more. Nothing was written.")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def without_narrower(folder: Path, level: int | str, index: int, width: int) -> None:
    """Deletes the files of a tile that a wider one has made superfluous."""
    for narrower in widths(folder, level, index):
        if narrower < width:
            tile_path(folder, level, index, narrower).unlink(missing_ok=True)


def _content(folder: Path, level: int | str, index: int, count: int) -> bytes:
    """The narrowest file that holds so many; looks again where an append has just replaced it."""
    for _ in range(_TRIES):
        fit = [width for width in widths(folder, level, index) if width >= count]
        if not fit:
            break
        try:
            content = tile_path(folder, level, index, fit[0]).read_bytes()
        except FileNotFoundError:
            continue
        if level == ENTRIES or len(content) == fit[0] * _HASH:
            return content
        break
    path = tile_path(folder, level, index, count)
    raise _damaged(path, f"it or a wider one should hold {count}, and is missing or has another length")


def _damaged(path: Path, what: str) -> DatasetError:
    return DatasetError(f"The log's file {path} is damaged: {what}. Restore the folder from a backup.")
