"""Check every byte of an aligned set, fetched or made, without a network.    dda verify DIR"""

from pathlib import Path

from dda.core.errors import AuditError, SetupError
from dda.io import manifests, verification


def run(folder: Path) -> None:
    """Compare files with the manifest, and images with pairs.parquet. Raises AuditError with a sentence per problem."""
    if not folder.is_dir():
        raise SetupError(f"no folder {folder}: name one that holds an aligned set")
    manifest = manifests.of_folder(folder)
    wrong = verification.problems(folder, manifest)
    if wrong:
        raise AuditError(f"{folder} is not whole:\n" + "\n".join(f"  {problem}" for problem in wrong))
    n_pairs = sum(row["error"] is None for row in verification.rows_of(folder))
    if manifest:
        told = f"version {manifest.version} of {manifest.name} is whole: {len(manifest.files)} files"
    else:
        told = f"no {manifests.NAME}, so nothing says which files were published; its shards are whole"
    print(f"{folder}: {told}, both images of {n_pairs} pairs")
