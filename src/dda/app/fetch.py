"""Get a published set: resumed where it stopped, every byte checked.    dda fetch s3://bucket/prefix/tiny DIR"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dda.app import get
from dda.core.errors import SetupError
from dda.io import atomic, downloads, manifests, pairs, progress, releases, s3, tars, verification
from dda.io.manifests import File, Manifest
from dda.io.s3 import Place

# how stores say that they want to know who asks
SIGN_PLEASE = (*s3.FORBIDDEN, "MissingSecurityHeader", "MissingAuthenticationToken", "UnsupportedAlgorithm")
PUBLISH_AGAIN = "ask its publisher to publish it again"


def run(address: str, folder: Path, version: str | None = None, anonymous: bool = False) -> None:
    """Make a folder hold a version of a set, the latest one if none is named; what is there already is kept.

    Raises SetupError, in a sentence, for all that is wrong with address, store, set, folder or disk.
    """
    root = s3.place(address)
    with access_told(root, anonymous):
        with s3.told(root):
            connection = s3.client(anonymous)
        manifest = chosen(connection, root, version)
        if folder.exists() and not folder.is_dir():
            raise SetupError(f"{folder} is no folder: name a new one")
        folder.mkdir(parents=True, exist_ok=True)
        with get.alone(folder, "dda fetch"):
            n_fetched = bring(connection, root.below(manifest.version), folder, manifest)
    told = f"{n_fetched} fetched + {len(manifest.files) - n_fetched} kept from before"
    print(f"{folder}: version {manifest.version} of {manifest.name}")
    print(f"{len(manifest.files)} files = {told}; the folder can be used as artifacts/aligned/{manifest.name}")


def bring(connection: Any, place: Place, folder: Path, manifest: Manifest) -> int:
    """Make the folder hold the files of a manifest, and then the manifest; how many had to be fetched."""
    missing = missing_files(folder, manifest)
    needed = sum(file.size - _arrived(part_of(folder, file)) for file in missing)
    downloads.check_free(f"{manifest.name} in {folder}", [(folder, needed)])
    with downloads.full_disk_told(manifest.name, folder, needed, "what has arrived is kept"):
        fetch_files(connection, place, folder, missing)
    check_places(folder)
    atomic.remove_leftovers(folder)
    atomic.write_text(folder / manifests.NAME, manifests.content(manifest).decode())
    return len(missing)


@contextmanager
def access_told(root: Place, anonymous: bool) -> Iterator[None]:
    """Name both ways to read where one of them does not work."""
    try:
        yield
    except s3.NoCredentials as error:
        raise SetupError(f"{error}; or give --anonymous, if the bucket is public") from error
    except s3.Refused as error:
        if anonymous and error.code in SIGN_PLEASE:
            told = f"{root} may not be read by everybody ({error.code})"
            raise SetupError(f"{told}: leave --anonymous out, and {s3.SET_CREDENTIALS}") from error
        raise


def chosen(connection: Any, root: Place, version: str | None) -> Manifest:
    """The manifest of the version that is asked for. Raises SetupError where there is none."""
    if version is None:
        latest, _ = releases.latest(connection, root)
        if latest is None:
            raise SetupError(
                f"nothing is published at {root}: there is no {manifests.LATEST}; name s3://bucket/prefix/NAME, as "
                "`dda publish` printed it"
            )
        version = latest.version
    manifest = releases.manifest_of(connection, root, version)
    if manifest is None:
        raise SetupError(f"no version {version!a:.80} at {root}: leave --version out for the latest one")
    return manifest


def missing_files(folder: Path, manifest: Manifest) -> list[File]:
    """Files that the folder has not, or not as published.

    Raises SetupError where it holds anything else, which must not be lost: only what was fetched once is repaired.
    """
    own = manifests.of_folder(folder)
    if own and own.version != manifest.version:
        raise SetupError(f"{folder} holds version {own.version} of {own.name}: name a new folder for another one")
    wrong = [file for file, _ in verification.differing(folder, manifest)]
    kept = {file.path for file in manifest.files if own or file not in wrong} | {manifests.NAME}
    others = sorted(path.name for path in folder.iterdir() if path.name not in kept and not _is_part(path, manifest))
    others += sorted(name for name in kept if (folder / name).is_dir())
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise SetupError(f"{folder} holds something else, {others[0]!a:.120}{more}: name a new folder")
    return wrong


def _is_part(path: Path, manifest: Manifest) -> bool:
    """Whether a file was left by a fetch that was killed, of this version or another."""
    names = [file.path for file in manifest.files] + [manifests.NAME]
    return path.suffix == ".part" and any(path.name.startswith(f".{name}.") for name in names)


def fetch_files(connection: Any, place: Place, folder: Path, files: list[File]) -> None:
    """Fetch files, several at once."""
    with (
        ThreadPoolExecutor(releases.FILES_AT_ONCE) as threads,
        releases.shown_bytes(f"fetch {folder.name}", sum(file.size for file in files)) as advance,
    ):
        started = [threads.submit(fetch_file, connection, place, folder, advance, file) for file in files]
        for future in as_completed(started):
            future.result()


def fetch_file(connection: Any, place: Place, folder: Path, advance: Callable[[int], None], file: File) -> None:
    """Fetch one file; it gets its name once every byte of it is right, and, if it is a shard, once it was walked."""
    part = part_of(folder, file)
    if _arrived(part) > file.size:
        part.unlink()
    resumed = _arrived(part)
    advance(resumed)
    _download(connection, place, file, part, advance)
    if resumed and verification.sha256(part) != file.sha256:  # what had arrived before may be what is wrong
        part.unlink()
        _download(connection, place, file, part, advance)
    found = verification.sha256(part)
    if found != file.sha256:
        part.unlink()
        raise SetupError(
            f"{place}{file.path} is damaged: its sha256 is {found}, not {file.sha256}; what is right is kept here, "
            f"{PUBLISH_AGAIN}, then run this again"
        )
    if file.path.endswith(".tar"):
        for _ in tars.members(part, file.path):
            pass
    os.replace(part, folder / file.path)


def _download(connection: Any, place: Place, file: File, part: Path, advance: Callable[[int], None]) -> None:
    try:
        s3.download(connection, place, s3.Object(file.path, file.size), part, advance)
    except s3.Changed as error:
        raise SetupError(
            f"{place}{file.path} has not {file.size} bytes, as its manifest says: {PUBLISH_AGAIN}"
        ) from error
    except s3.Refused as error:
        if error.code in s3.NOT_THERE:
            raise SetupError(f"{place}{file.path} is missing from the store: {PUBLISH_AGAIN}") from error
        raise


def part_of(folder: Path, file: File) -> Path:
    """Where a file lies until it is complete; named by its content too, so that versions never mix."""
    return folder / f".{file.path}.{file.sha256[:16]}.part"


def _arrived(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def check_places(folder: Path) -> None:
    """Raise SetupError where pairs.parquet says of an image that it lies where it does not."""
    for shard, rows in progress.tracked([*verification.by_shard(verification.rows_of(folder)).items()], "places"):
        if wrong := pairs.misplaced(folder, shard, rows):
            raise SetupError(f"the set is refused: {wrong[0]}")
