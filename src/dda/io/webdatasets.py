"""Benchmarks as tars in WebDataset form: a folder within a member's name says its class. Nothing is unpacked."""

import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError
from dda.core.labels import FAKE
from dda.io.images import GENERATED, LabelledImage, is_image, text
from dda.io.trees import class_of

SHARD = re.compile(r"[-_.]?[0-9]{3,}$")


def webdataset(folder: Path, row: Mapping[str, Any]) -> Iterator[LabelledImage]:
    """The images in all tars below a folder, tar after tar, in the order of their members.

    `real` and `fake` are names of class folders within a member's name. What stands before the class is the generator,
    or the tar's own path where nothing does.
    """
    if not folder.is_dir():
        raise SetupError(f"no benchmark folder at {folder}: put the benchmark there, then `dvc add data`")
    for path in sorted(folder.rglob("*.tar")):
        tar_id = path.relative_to(folder).as_posix()
        for name, offset, size in _members(path):
            parts = tuple(name.split("/"))
            if not (named := class_of(parts, row)):
                known = ", ".join([*row["real"], *row["fake"]])
                raise SetupError(f"{name!a:.120} in {path} has no class; expected one of {known} in its name")
            label, depth = named
            shard_of = SHARD.sub("", tar_id.removesuffix(".tar"))
            generator = text("/".join(parts[:depth]) or shard_of)
            image_id = f"{text(tar_id)}/{text(name)}"
            source = GENERATED if label == FAKE else row.get("reals_from") or text(folder.name)
            generator = (row.get("generators") or {}).get(generator, generator)
            yield LabelledImage(image_id, image_id, generator, source, label, path, (offset, size))


def _members(path: Path) -> Iterator[tuple[str, int, int]]:
    """Name, offset and size of each file of a tar that counts as an image.

    Raises SetupError where the tar is damaged, ends early, or holds links: their bytes lie elsewhere.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            while (member := tar.next()) is not None:
                name = member.name.removeprefix("./")
                if member.isdir() or not is_image(name):
                    continue
                if not member.isreg() or member.issparse():
                    raise SetupError(f"{name!a:.120} in {path} is a link or no plain file: pack the tar without it")
                yield name, member.offset_data, member.size
            end = tar.offset
    except (OSError, tarfile.TarError) as error:
        raise SetupError(f"{path} is no whole tar: {error}; get the file again") from error
    _check_end(path, end)


def _check_end(path: Path, offset: int) -> None:
    """tarfile takes a damaged header behind the first for the end, without a word."""
    with path.open("rb") as file:
        file.seek(offset)
        block = file.read(tarfile.BLOCKSIZE)
    if block.count(0) != tarfile.BLOCKSIZE:
        raise SetupError(f"{path} is no whole tar: it is damaged or ends at byte {offset}; get the file again")
