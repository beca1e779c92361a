"""A dataset's keys and tables: made at its first build, and its own from then on."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pyspark.sql import SparkSession

from corpus import snapshot, tables
from corpus.dataset_key import key_id, make_key, read_key, read_own_key
from corpus.evidence.keys import (
    SIGNER_PROPERTY,
    Signer,
    default_place,
    is_uri,
    make_signer,
    public_beside,
    public_path,
    read_public,
    read_signer,
    write_public,
)
from corpus.request import BuildRequest


def founded(spark: SparkSession, request: BuildRequest, accounts: int) -> tuple[bytes, int]:
    """The dataset's key and its bucket width; makes both, the signing key and the tables at the first build.

    Raises DatasetError if the dataset is there and its key is not, or is another's.
    """
    if not tables.exists(spark, request.folder):
        with suppress(FileExistsError):  # ours, or that of another first build
            make_key(request.key_file)
        key = read_key(request.key_file)
        bits = request.bucket_bits if request.bucket_bits is not None else snapshot.bucket_bits_for(accounts)
        signer = _first_signer(request)
        own = {"corpus.bucketBits": str(bits), "corpus.keyId": key_id(key), SIGNER_PROPERTY: signer.id}
        write_public(public_path(request.folder), signer.public)
        tables.create_tables(spark, request.folder, request.policy, own)
    key = read_own_key(request.key_file, request.dataset, tables.property_of(spark, request.folder, "corpus.keyId"))
    return key, int(tables.property_of(spark, request.folder, "corpus.bucketBits"))


def _first_signer(request: BuildRequest) -> Signer:
    """The signer of a dataset that is about to be made; its key is made too, where it is a file and not there."""
    place = request.signing_key
    if is_uri(str(place)):
        return read_signer(place, read_public(public_beside(default_place(request.key_file))))
    with suppress(FileExistsError):
        make_signer(Path(place))
    return read_signer(place)
