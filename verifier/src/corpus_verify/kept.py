"""A checkpoint that was kept elsewhere, against that of a proof: both must be of one history."""

from __future__ import annotations

from corpus_verify.documents import fields, hashes, number, parsed, text
from corpus_verify.errors import Refused
from corpus_verify.merkle import check_consistency
from corpus_verify.notes import Checkpoint


def compare(shown: Checkpoint, kept: Checkpoint, consistency: bytes | None) -> None:
    """Checks that the log of a proof and the one kept are one. Raises Refused if not, or if that cannot be told.

    Of one size they have one root. Of two sizes only a consistency file (`corpus log prove`) tells.
    """
    if shown.size == kept.size:
        if shown.root != kept.root:
            raise Refused(f"two histories: this log of {shown.size} entries has another root than the one kept")
        return
    old, new = sorted((shown, kept), key=lambda checkpoint: checkpoint.size)
    if consistency is None:
        raise Refused(
            f"the proof's log has {shown.size} entries and the one kept {kept.size}: without a consistency file only"
            f" logs of one size can be compared; ask for that of {old.size} to {new.size} (corpus log prove) and name"
            " it with --consistency"
        )
    check_consistency(old.size, old.root, new.size, new.root, _path(consistency, old, new))


def _path(content: bytes, old: Checkpoint, new: Checkpoint) -> list[bytes]:
    document = parsed(content, "corpus-consistency", "consistency file")
    _, origin, old_size, new_size, path = fields(document, "consistency file", "format", "log", "old", "new", "path")
    text(origin, "consistency file's log", old.origin)
    sizes = (number(old_size, "consistency file's old"), number(new_size, "consistency file's new"))
    if sizes != (old.size, new.size):
        raise Refused(
            f"the consistency file is of {sizes[0]} to {sizes[1]} and not of {old.size} to {new.size} entries"
        )
    return hashes(path, "consistency file's path")
