"""HTML pages, self-contained: every picture lies inside the file."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dda.io.atomic import write_text

MAGIC = {b"\xff\xd8": "jpeg", b"\x89P": "png"}


def render(template: str, path: Path, content: dict[str, Any]) -> None:
    """Fill a template of this package; text from outside is escaped."""
    import jinja2

    loader = jinja2.PackageLoader("dda.io")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters |= {"picture": data_address, "estimate": shown}
    write_text(path, environment.get_template(template).render(**content))


def shown(estimate: Mapping[str, Any] | None) -> str:
    """A number with its interval, where it has one; a dash where there is no number."""
    if not estimate:
        return "-"
    ends = "" if estimate["low"] is None else f" [{estimate['low']:.3f}, {estimate['high']:.3f}]"
    return f"{estimate['value']:.3f}{ends}"


def data_address(picture: bytes | Path) -> str:
    """A JPEG or PNG, given as bytes or as a file, as an address that holds the picture itself."""
    content = picture.read_bytes() if isinstance(picture, Path) else picture
    return f"data:image/{MAGIC[content[:2]]};base64,{base64.b64encode(content).decode()}"
