"""Sets of our own that detectors are judged on, by their names, beside the benchmarks of the catalog."""

from collections.abc import Iterable

ALIGNED, GENERATED = "aligned-", "generated-"


def names(vaes: Iterable[str], generators: Iterable[str], benchmarks: Iterable[str]) -> list[str]:
    """Of all that detectors are judged on: held-out pairs of VAEs, images by generators, benchmarks of the catalog."""
    return [*(f"{ALIGNED}{vae}" for vae in vaes), *(f"{GENERATED}{one}" for one in generators), *benchmarks]


def is_ours(name: str) -> bool:
    """Whether a set was made here, and has no row in the catalog."""
    return name.startswith((ALIGNED, GENERATED))


def made_by(name: str) -> str:
    """The VAE or the generator that made a set of ours."""
    return name.partition("-")[2]


def title(name: str) -> str:
    """A set of ours in words."""
    return f"{'held-out pairs of' if name.startswith(ALIGNED) else 'images by'} {made_by(name)}"


def told(name: str) -> str:
    """What a set of ours holds, in a sentence."""
    if name.startswith(ALIGNED):
        return f"{title(name)}: photos that no training saw, and their aligned reconstructions"
    return f"{title(name)}, all fake, of the prompts of generate.prompts"
