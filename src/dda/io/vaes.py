"""Autoencoders of diffusers, by the facts of their rows."""

import hashlib
import json
import logging
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError


def load(row: Mapping[str, Any], device: str) -> Any:
    """The VAE of a catalog row in float32, frozen. Raises SetupError where its weights are out of reach."""
    import diffusers
    from diffusers.utils import logging as diffusers_logging

    diffusers_logging.set_verbosity_error()
    kind = getattr(diffusers, row["class"], None)
    if kind is None:
        raise SetupError(f"diffusers has no class {row['class']!r}: correct the row in catalog/vaes.yaml")
    source, options = _source(row)
    try:
        vae = kind.from_pretrained(source, use_safetensors=True, **options).to(device)
    except (OSError, ValueError, NotImplementedError) as error:
        logging.getLogger(__name__).debug("loading %s failed", source, exc_info=True)
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SetupError(f"cannot load the VAE from {source}: {first}") from error
    return vae.eval().requires_grad_(False)


def identity(row: Mapping[str, Any]) -> str:
    """What tells one set of weights from another: a digest of a local folder, or the hub's folder and revision."""
    source, options = _source(row)
    folder = Path(source)
    if not options.get("local_files_only"):
        return json.dumps([source, options])
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.suffix in (".json", ".safetensors"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _source(row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Where from_pretrained shall look. Local rows never ask the network."""
    if "embedded" in row:
        return str(files("dda.embedded") / row["embedded"]), {"local_files_only": True}
    if "path" in row:
        if not Path(row["path"]).is_dir():
            raise SetupError(f"no diffusers folder at {row['path']}: correct `path` in catalog/vaes.yaml")
        return row["path"], {"local_files_only": True}
    return row["source"], {
        "subfolder": row.get("subfolder"),
        "revision": row.get("revision"),
    }
