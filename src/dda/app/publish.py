"""Publish an aligned set, so that others can fetch and verify it.    dda publish tiny s3://bucket/prefix"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from dda import catalog
from dda.core import croissant, set_card
from dda.core.errors import SetupError
from dda.io import atomic, manifests, pairs, progress, releases, s3, uploads, verification
from dda.params.sections import Paths

CARD, CROISSANT, AUDIT = "README.md", "croissant.json", "audit.json"
MAX_SHOWN = 5


def run(paths: Paths, name: str, address: str, photos: str | None = None) -> None:
    """Put one VAE's pairs into a store as a version, and make it the latest one; `photos` names whose terms they have.

    Raises SetupError, in a sentence, where the set is damaged or was not audited as it is, and for what the store says.
    """
    vae = catalog.get("vaes", name)
    origin = (photos, catalog.get("photos", photos)) if photos else None
    folder, root = paths.aligned / name, s3.place(address).below(name)
    check_audit(folder, paths.audits / f"{name}.json")
    with s3.told(root, "write to"):
        connection = s3.client()
    releases.latest(connection, root)  # a store that cannot be used is told before everything is read
    check_whole(folder)
    stamp = paths.audits / f"{name}.json"
    facts = set_card.Facts(name, verification.rows_of(folder), vae, origin, atomic.read_json(stamp))
    with TemporaryDirectory() as written:
        shutil.copyfile(stamp, Path(written) / AUDIT)
        files = described(facts, folder, Path(written))
        manifest, outcomes = releases.publish(connection, root, name, files)
    told = " + ".join(f"{outcomes[how]} {how}" for how in (uploads.UPLOADED, uploads.COPIED, uploads.KEPT))
    print(f"{name}: version {manifest.version} is the latest of {root}")
    print(f"{len(files)} files = {told} (they were there); fetch them with: dda fetch {str(root).rstrip('/')} DIR")


def check_audit(folder: Path, stamp: Path) -> None:
    """Raise SetupError unless the audit passed on this very set."""
    name = folder.name
    if not (folder / manifests.TABLE).is_file():
        raise SetupError(f"no aligned set {name!r} at {folder}: run `dvc repro align` first")
    if not stamp.is_file():
        raise SetupError(f"{name} was not audited: there is no {stamp}; run `dvc repro audit` first")
    told = atomic.read_json(stamp)
    if told.get("passed") is not True:
        raise SetupError(f"the audit of {name} did not pass ({stamp}): only a set that did is published")
    if told.get("digest") != pairs.digest(folder):
        raise SetupError(f"{name} changed since its audit ({stamp} tells of other pairs): run `dvc repro audit` first")


def check_whole(folder: Path) -> None:
    """Raise SetupError where a byte of the set is not as its table says."""
    wrong = verification.problems(folder, manifests.of_folder(folder))
    if wrong:
        more = f"; and {len(wrong) - MAX_SHOWN} more" if len(wrong) > MAX_SHOWN else ""
        raise SetupError(f"nothing is published, since {folder} is damaged: {'; '.join(wrong[:MAX_SHOWN])}{more}")


def examined(files: list[Path]) -> list[uploads.Examined]:
    """Digests of files."""
    return [uploads.examine(path) for path in progress.tracked(files, "digests")]


def described(facts: set_card.Facts, folder: Path, written: Path) -> list[uploads.Examined]:
    """The files of a set, and those that go with it, which lie in a folder of their own: card and metadata are new."""
    data = examined([folder / manifests.TABLE, *sorted(folder.glob("*.tar"))])
    words = {
        "name": f"aligned-{facts.name}",
        "description": set_card.description(facts),
        "license": set_card.licences(facts),
    }
    files = [(one.file.path, one.file.size, one.file.sha256) for one in data]
    columns = verification.kinds_of_columns(folder)
    atomic.write_text(written / CARD, set_card.card(facts))
    atomic.write_json(written / CROISSANT, croissant.metadata(words, files, manifests.TABLE, columns))
    return [*data, *examined([written / name for name in (CARD, CROISSANT, AUDIT)])]
