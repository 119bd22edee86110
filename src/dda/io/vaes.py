"""Autoencoders of diffusers, by the facts of their rows: from the package, a local folder, or the hub."""

import contextlib
import hashlib
import json
import logging
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError, did_you_mean
from dda.io import hub

CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
SHARDS = "diffusion_pytorch_model-*.safetensors"
TIMEOUT_S = 10.0
PRECISIONS = ("float32", "bfloat16", "float16")
CATALOG = "catalog/vaes.yaml"
Row = Mapping[str, Any]


def load(row: Row, device: str, precision: str = "float32") -> Any:
    """The VAE of a catalog row, frozen, in one of PRECISIONS; its weights lie channels last where that exists.

    A cached VAE is loaded without any request. Raises SetupError where its weights are out of reach or do not fit.
    """
    import torch

    if precision not in PRECISIONS:
        raise SetupError(f"no precision {precision!r}. {did_you_mean(precision, PRECISIONS)}")
    if precision == "float16" and not row.get("float16", True):
        raise SetupError(f"the VAE from {_origin(row)} overflows in float16: take bfloat16 or float32")
    kind = _kind(row["class"])
    vae = _read(row, kind, fetch(row), getattr(torch, precision)).to(device)
    if all(weights.dim() != 5 for weights in vae.parameters()):
        vae = vae.to(memory_format=torch.channels_last)
        if vae.device.type == "cpu":
            _normalise_alike(vae)
    return vae.eval().requires_grad_(False)


def _normalise_alike(vae: Any) -> None:
    """Let GroupNorm add up in one order: channels last, a CPU's order, and so the last bit, follows its threads."""
    import torch

    for module in vae.modules():
        if isinstance(module, torch.nn.GroupNorm):
            module.register_forward_pre_hook(lambda _, values: values[0].contiguous())


def fetch(row: Row) -> Path:
    """The folder with a row's configuration and weights, downloaded first where it is not cached."""
    if "source" in row:
        folder = _snapshot(row)
    else:
        folder = _local(row)
        if not folder.is_dir():
            raise SetupError(f"no diffusers folder at {folder}: correct `path` in {CATALOG}")
    missing = _missing(folder)
    if missing:
        step = f"correct its row in {CATALOG}" if "source" in row else _anew(folder)
        note = " (pickled weights are never loaded)" if missing == WEIGHTS else ""
        raise SetupError(f"cannot load the VAE from {_origin(row)}: no {missing} in it{note}: {step}")
    return folder


def identity(row: Row) -> str:
    """What tells one set of weights from another: a digest of a local folder, or the hub's folder and revision."""
    if "source" in row:
        revision = row.get("revision", "main, not pinned")
        return json.dumps([row["source"], {"subfolder": row.get("subfolder"), "revision": revision}])
    folder = _local(row)
    if not folder.is_dir():
        raise SetupError(f"no diffusers folder at {folder}: correct `path` in {CATALOG}")
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.suffix in (".json", ".safetensors"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def state(row: Row) -> str:
    """`embedded`, `local folder`, `folder is missing`, or of the hub's `cached` or `not cached`. Asks nobody."""
    if "embedded" in row:
        return "embedded"
    if "path" in row:
        return "local folder" if _local(row).is_dir() else "folder is missing"
    from huggingface_hub import try_to_load_from_cache

    def cached(name: str) -> bool:
        found = try_to_load_from_cache(row["source"], _inside(row, name), revision=row.get("revision"))
        return isinstance(found, str)

    return "cached" if cached(CONFIG) and (cached(WEIGHTS) or cached(INDEX)) else "not cached"


def _origin(row: Row) -> str:
    """A row's source, as messages name it."""
    return str(row["source"] if "source" in row else _local(row))


def _local(row: Row) -> Path:
    """The folder of a row that the hub has no part in."""
    return Path(str(files("dda.embedded") / row["embedded"])) if "embedded" in row else Path(row["path"])


def _inside(row: Row, name: str) -> str:
    """The path of a file in a row's repository."""
    return f"{row['subfolder']}/{name}" if row.get("subfolder") else name


def _missing(folder: Path) -> str | None:
    """The first file that a VAE needs and the folder does not hold."""
    if not (folder / CONFIG).is_file():
        return CONFIG
    return None if (folder / WEIGHTS).is_file() or (folder / INDEX).is_file() else WEIGHTS


def _kind(name: str) -> Any:
    """The class of diffusers of that name."""
    import diffusers
    from diffusers.utils import logging as diffusers_logging

    diffusers_logging.set_verbosity_error()
    kind = getattr(diffusers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, diffusers.ModelMixin)):
        raise SetupError(f"diffusers has no class {name!r}: correct the row in {CATALOG}")
    return kind


def _read(row: Row, kind: Any, folder: Path, dtype: Any) -> Any:
    """The model of a folder, complete."""
    from safetensors import SafetensorError

    options = {"local_files_only": True, "use_safetensors": True, "output_loading_info": True}
    try:
        vae, found = kind.from_pretrained(folder, torch_dtype=dtype, **options)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        logging.getLogger(__name__).debug("loading %s failed", folder, exc_info=True)
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        told = f"{first.rstrip('. ')}: correct `class`, or {_anew(folder)}"
        raise SetupError(f"cannot load the VAE from {_origin(row)}: {told}") from error
    absent = sorted({*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])})
    if absent:
        told = f"{len(absent)} tensors of {kind.__name__} are not in its weights, the first is {absent[0]}"
        raise SetupError(f"cannot load the VAE from {_origin(row)}: {told}: correct `class`, or {_anew(folder)}")
    if found["unexpected_keys"]:
        unused = sorted(found["unexpected_keys"])
        logging.getLogger(__name__).warning(
            "%s: %d tensors not used, the first is %s", _origin(row), len(unused), unused[0]
        )
    return vae


def _anew(folder: Path) -> str:
    """What to do about a folder whose files are broken."""
    cached = [place.parent for place in folder.parents if place.name == "snapshots"]
    return f"delete {cached[0]} to download it anew" if cached else "write it anew by save_pretrained"


def _snapshot(row: Row) -> Path:
    """The folder of a repository in the hub's cache. A pinned one that is there needs no request."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HFValidationError, HTTPError, LocalEntryNotFoundError
    from huggingface_hub.utils import disable_progress_bars

    patterns = [_inside(row, name) for name in (CONFIG, WEIGHTS, INDEX, SHARDS)]
    wanted: dict[str, Any] = {"revision": row.get("revision"), "allow_patterns": patterns}
    subfolder = row.get("subfolder") or ""
    try:
        if row.get("revision"):
            with contextlib.suppress(LocalEntryNotFoundError):
                folder = Path(snapshot_download(row["source"], local_files_only=True, **wanted)) / subfolder
                if not _missing(folder):
                    return folder
            # what follows would try again for half a minute where the hub is away
            HfApi().model_info(row["source"], revision=row["revision"], timeout=TIMEOUT_S)
        if not sys.stderr.isatty():
            disable_progress_bars()
        logging.getLogger(__name__).info("asking the hub for %s", row["source"])
        return Path(snapshot_download(row["source"], **wanted)) / subfolder
    except (HTTPError, OSError, HFValidationError) as error:
        logging.getLogger(__name__).debug("getting %s failed", row["source"], exc_info=True)
        raise SetupError(f"cannot get the VAE from {row['source']}: {hub.reason(row, error, CATALOG)}") from error
