"""Who signs: an Ed25519 key in a file of its owner's, or one in a key service that never gives it away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from deltalake import DeltaTable
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, SSlibKey
from securesystemslib.signer import Signer as AnySigner

from corpus.durable import read_secret, write_secret, write_whole
from corpus.errors import DatasetError, EnvironmentFault
from corpus_verify.errors import Refused
from corpus_verify.keys import read_public as public_in

SIGNER_PROPERTY = "corpus.signerId"
"""The table property of `snapshot` that says, since its creation, who signs for the dataset."""

EXTRAS = {"hv": "vault"}
"""What `securesystemslib` needs to be installed with, where it is not called as the scheme of the key's URI."""


@dataclass(frozen=True)
class Signer:
    """A key that signs: its public part (32 bytes), what names it, and its signature over a message."""

    public: bytes
    id: str
    sign: Callable[[bytes], bytes] = field(repr=False)


def id_of(public: bytes) -> str:
    """What names a public key: its SHA-256."""
    return sha256(public).hexdigest()


def make_signer(path: Path) -> Signer:
    """A new key in a file that only its owner may read, its public part beside it.

    Raises FileExistsError rather than replace one.
    """
    made = CryptoSigner.generate_ed25519()
    write_secret(path, made.private_bytes)
    signer = read_signer(path)
    write_public(public_beside(path), signer.public)
    return signer


def read_signer(place: Path | str, public: bytes | None = None) -> Signer:
    """The signer of a key file, or of a key service's URI whose public part is known. Raises DatasetError."""
    text = str(place)
    if not is_uri(text):
        return _of_file(Path(text.removeprefix("file2:")))
    if public is None:
        raise DatasetError(f"The public part of the signing key {text} is not known; write it as PEM to a file first.")
    return _checked(_of_service(text, public), public, text)


def signer_of(dataset: Path, place: Path | str) -> Signer:
    """The signer of a dataset that is there. Raises DatasetError if its key is missing, or is another's."""
    expected, name = declared_signer(dataset), dataset.name
    if not is_uri(str(place)) and not Path(place).exists():
        raise DatasetError(
            f"The signing key of {name} is missing: expected in {place}. Restore it from your backup, or name its "
            f"place with --signer. The dataset is signed by {expected[:16]}… alone: without that key nothing is added."
        )
    signer = read_signer(place, public_key(dataset) if is_uri(str(place)) else None)
    if signer.id != expected:
        raise DatasetError(
            f"The signing key {place} ({signer.id[:16]}…) is not that of {name} ({expected[:16]}…). Name the right one "
            "with --signer."
        )
    if public_key(dataset) != signer.public:
        raise DatasetError(
            f"{public_path(dataset)} holds another key than the one that signs for {name}: somebody changed it. "
            "Restore it from a backup."
        )
    return signer


def declared_signer(dataset: Path) -> str:
    """The id of the key that signs for a dataset, as its table says. Raises DatasetError where it names none."""
    try:
        found: str = DeltaTable(dataset / "snapshot").metadata().configuration.get(SIGNER_PROPERTY, "")
    except Exception as broken:  # deltalake raises bare Exception for a missing or broken file
        raise DatasetError(f"{dataset.name} cannot be read: {str(broken).partition('{')[0]}") from None
    if found:
        return found
    raise DatasetError(
        f"{dataset.name} was made before versions were signed: its table has no property {SIGNER_PROPERTY}. Build a "
        "dataset of another name from the same inputs."
    )


def public_key(dataset: Path) -> bytes:
    """The public key that checks a dataset's signatures. Raises DatasetError."""
    path = public_path(dataset)
    if path.exists():
        return read_public(path)
    raise DatasetError(
        f"The public key of {dataset.name} is missing: expected in {path}. Copy it there from beside the signing key."
    )


def read_public(path: Path) -> bytes:
    """The 32 bytes of a public Ed25519 key in PEM. Raises DatasetError."""
    try:
        return public_in(path)
    except Refused as refused:
        raise DatasetError(f"The public key cannot be used: {refused}.") from None


def write_public(path: Path, public: bytes) -> None:
    """Writes a public key as PEM, for everybody to read."""
    key = Ed25519PublicKey.from_public_bytes(public)
    write_whole(path, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    path.chmod(0o644)


def public_path(dataset: Path) -> Path:
    """Where a dataset keeps the public key for those who check it."""
    return dataset / "evidence" / "public.pem"


def public_beside(path: Path) -> Path:
    """Where the public part of a key file stands: uk-social.ed25519.public.pem."""
    return path.with_suffix(".public.pem")


def default_place(key_file: Path) -> Path:
    """Where the signing key of a dataset stands unless another place is named: beside the dataset's key."""
    return key_file.with_suffix(".ed25519.pem")


def signing_key(key_file: Path, named: str | None) -> Path | str:
    """The place of the signing key: as it was named, else beside the dataset's key."""
    if named is None:
        return default_place(key_file)
    return named if is_uri(named) else Path(named)


def is_uri(place: str) -> bool:
    """Whether this names a key in a key service (`gcpkms:…`, `hv:…`) rather than a file."""
    scheme, colon, _ = place.partition(":")
    return bool(colon) and scheme in SIGNER_FOR_URI_SCHEME and scheme != CryptoSigner.SCHEME


def _of_file(path: Path) -> Signer:
    pem = read_secret(path, "signing key")
    try:
        signer = CryptoSigner(load_pem_private_key(pem, None))
        public = signer.public_key
    except (ValueError, TypeError, InvalidSignature):
        public = None
    if public is None or public.keytype != "ed25519":
        raise DatasetError(f"The file {path} does not hold an Ed25519 signing key in PEM (PKCS#8, no passphrase).")
    raw = bytes.fromhex(public.keyval["public"])
    return Signer(raw, id_of(raw), lambda message: bytes.fromhex(signer.sign(message).signature))


def _of_service(uri: str, public: bytes) -> AnySigner:
    key = SSlibKey(id_of(public), "ed25519", "ed25519", {"public": public.hex()})
    try:
        return AnySigner.from_priv_key_uri(uri, key)
    except UnsupportedLibraryError as lacking:
        scheme = uri.partition(":")[0]
        raise EnvironmentFault(
            f"The signing key {uri} needs what is not installed ({lacking}); run: "
            f"pip install 'securesystemslib[{EXTRAS.get(scheme, scheme)}]'"
        ) from None
    except Exception as cannot:  # what services raise is theirs
        raise DatasetError(f"The signing key {uri} cannot be used: {cannot}") from None


def _checked(service: AnySigner, public: bytes, uri: str) -> Signer:
    """A signer whose signatures are checked before anybody relies on them: a service may hold another key."""

    def sign(message: bytes) -> bytes:
        try:
            signature = bytes.fromhex(service.sign(message).signature)
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except InvalidSignature:
            raise DatasetError(f"The key {uri} signs, but not as {id_of(public)[:16]}…: it is another key.") from None
        except Exception as cannot:  # what services raise is theirs
            raise DatasetError(f"The key {uri} did not sign: {cannot}") from None
        return signature

    return Signer(public, id_of(public), sign)
