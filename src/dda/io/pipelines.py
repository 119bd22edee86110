"""Where the weights of text-to-image pipelines are: a local folder, or the hub's cache, filled when it is asked for.

Only configuration, vocabularies and safetensors are ever taken: no pickle, and no code of a repository.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError
from dda.io import atomic, hub

CATALOG = "catalog/generators.yaml"
INDEX = "model_index.json"
TEXTS = (".json", ".txt", ".model", ".jinja")
NO_WEIGHTS = ("Tokenizer", "TokenizerFast", "Scheduler", "Processor", "ProcessorFast", "FeatureExtractor")
NEVER_LOADED = ("safety_checker", "feature_extractor")
SHARD = re.compile(r"-\d{5}-of-\d{5}")
TIMEOUT_S = 10.0
Row = Mapping[str, Any]


def fetch(row: Row) -> Path:
    """A row's diffusers folder, complete. What is cached needs no request; a download is told by name and size.

    Raises SetupError where it is out of reach, or where a part is missing.
    """
    if "path" in row:
        folder = local(row)
        lacking = missing(folder, row.get("variant"))
        if lacking:
            told = f"cannot load the generator from {folder}: no {lacking} in it (pickled weights are never loaded)"
            raise SetupError(f"{told}: correct `path` in {CATALOG}, or write the folder anew by save_pretrained")
        return folder
    folder = cached(row) or _downloaded(row)
    lacking = missing(folder, row.get("variant"))
    if lacking:
        told = f"cannot load the generator from {row['source']}: no {lacking} in it (pickled weights are never loaded)"
        raise SetupError(f"{told}: correct its row in {CATALOG}")
    return folder


def identity(row: Row) -> str:
    """What tells one pipeline's weights from another's: a digest of a local folder, or the hub's name and revision."""
    if "source" in row:
        return json.dumps([row["source"], row.get("revision") or "main, not pinned", row.get("variant")])
    folder, digest = local(row), hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (*TEXTS, ".safetensors"):
            digest.update(path.relative_to(folder).as_posix().encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def local(row: Row) -> Path:
    """The folder that a row names. Raises SetupError where there is none."""
    folder = Path(row["path"])
    if not folder.is_dir():
        raise SetupError(f"no diffusers folder at {folder}: correct `path` in {CATALOG}")
    return folder


def cached(row: Row) -> Path | None:
    """A repository's folder in the hub's cache where it is complete. Asks nobody."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        wanted_here: dict[str, Any] = {"revision": row.get("revision"), "allow_patterns": [INDEX]}
        folder = Path(snapshot_download(row["source"], local_files_only=True, **wanted_here))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    return None if missing(folder, row.get("variant")) else folder


def missing(folder: Path, variant: str | None) -> str | None:
    """The first file or part that a pipeline needs and the folder does not hold."""
    index = atomic.read_json(folder / INDEX)
    if not index:
        return INDEX
    for part, kind in parts(index).items():
        inside = folder / part
        if not inside.is_dir():
            return part
        if kind.endswith(NO_WEIGHTS):
            continue
        names = [path.name for path in inside.iterdir()]
        if not chosen_weights(names, variant):
            return f"{part}/*.safetensors"
        listed = [path for path in inside.glob("*.safetensors.index*.json") if _taken(path, names, variant)]
        for name in {name for path in listed for name in atomic.read_json(path).get("weight_map", {}).values()}:
            if not (inside / name).is_file():
                return f"{part}/{name}"
    return None


def parts(index: Mapping[str, Any]) -> dict[str, str]:
    """The class of each part of a pipeline that is loaded, by its folder, out of its model_index.json."""
    pairs = {name: value for name, value in index.items() if isinstance(value, list) and len(value) == 2}
    return {name: str(kind) for name, (_, kind) in pairs.items() if kind and name not in NEVER_LOADED}


def wanted(index: Mapping[str, Any], names: Iterable[str], variant: str | None) -> list[str]:
    """Which files of a repository the pipeline of its model_index.json is loaded from."""
    listed = list(names)
    taken = [INDEX]
    for part in parts(index):
        inside = [name for name in listed if name.startswith(f"{part}/")]
        taken += chosen_weights(inside, variant) + [name for name in inside if name.endswith(TEXTS)]
    return taken


def chosen_weights(names: Iterable[str], variant: str | None) -> list[str]:
    """The safetensors of one part: those of the variant where it has any, else those that are of none."""
    weights = [name for name in names if name.endswith(".safetensors")]
    return [name for name in weights if variant and variant_of(name) == variant] or [
        name for name in weights if not variant_of(name)
    ]


def variant_of(name: str) -> str:
    """`fp16` of model.fp16.safetensors and of model.fp16-00001-of-00002.safetensors; empty where there is none."""
    stem = name.rpartition("/")[2].removesuffix(".safetensors")
    return SHARD.sub("", stem).partition(".")[2]


def _taken(index: Path, names: Iterable[str], variant: str | None) -> bool:
    """Whether an index of shards is that of the weights which are loaded."""
    own = variant if variant and any(variant_of(name) == variant for name in names) else ""
    return index.name.partition(".index")[2].strip(".").removesuffix("json").strip(".") == own


def _downloaded(row: Row) -> Path:
    """Download a repository's files, after telling how many and how large."""
    from huggingface_hub import HfApi, RepoFile, hf_hub_download, snapshot_download
    from huggingface_hub.errors import HFValidationError, HTTPError
    from huggingface_hub.utils import disable_progress_bars

    source, revision = row["source"], row.get("revision")
    try:
        commit = str(HfApi().model_info(source, revision=revision or "main", timeout=TIMEOUT_S).sha)
        index = atomic.read_json(Path(hf_hub_download(source, INDEX, revision=commit)))
        tree = HfApi().list_repo_tree(source, revision=commit, recursive=True)
        sizes = {one.path: one.size for one in tree if isinstance(one, RepoFile)}
        files = wanted(index, sizes, row.get("variant"))
        total_gb = sum(sizes.get(name, 0) for name in files) / 1e9
        told = f"downloading {source} at {commit}: {len(files)} files, {total_gb:.1f} GB"
        print(f"{told}; licence: {row.get('licence') or 'see its card'}", file=sys.stderr, flush=True)
        if not sys.stderr.isatty():
            disable_progress_bars()
        return Path(snapshot_download(source, revision=revision, allow_patterns=files))
    except (HTTPError, OSError, HFValidationError) as error:
        raise SetupError(f"cannot get the generator from {source}: {hub.reason(row, error, CATALOG)}") from error
