"""What may stand in `align.train.steps` and `align.held_out.steps`: each kind of step with its settings."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, strict=True)]
Seed = Annotated[int, Field(ge=0, strict=True)]


class Section(BaseModel):
    """A part of the parameters: cannot be changed, knows no other keys than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def rising(values: tuple[float, float]) -> tuple[float, float]:
    """A range as it stands. Raises ValueError where its end is below its beginning."""
    if values[0] > values[1]:
        raise ValueError(f"must rise: {values[0]:g} is above {values[1]:g}")
    return values


Band = Annotated[int, Field(ge=0, le=14, strict=True)]
Weights = Annotated[tuple[Share, Share], AfterValidator(rising)]
Bands = Annotated[tuple[Band, Band], AfterValidator(rising)]


class MixPixels(Section):
    """Pixels blended with the real's; the real's weight is drawn evenly from a range (paper, eq. 3: 0 to R)."""

    step: Literal["mix_pixels"]
    probability: Share
    real_weight: Weights


class MixBands(Section):
    """Bands u + v of the 8x8 DCT, from the first to the last, blended with the real's."""

    step: Literal["mix_bands"]
    probability: Share
    real_weight: Weights
    bands: Bands


class MixFrequencies(Section):
    """Frequencies of the whole image above a cutoff (cycles per pixel) blended with the real's."""

    step: Literal["mix_frequencies"]
    probability: Share
    real_weight: Weights
    cutoff: Annotated[float, Field(gt=0, lt=0.75)]


class EqualiseBands(Section):
    """The energy of each pattern of the 8x8 DCT scaled to the real's."""

    step: Literal["equalise_bands"]
    probability: Share


class CopyClipped(Section):
    """Black and white taken over from the real."""

    step: Literal["copy_clipped"]
    probability: Share


class MatchJpeg(Section):
    """Compressed as the real was: by its own tables, or by the IJG quality nearest to them (paper)."""

    step: Literal["match_jpeg"]
    probability: Share
    by: Literal["tables", "quality"]


KINDS = (MixPixels, MixBands, MixFrequencies, EqualiseBands, CopyClipped, MatchJpeg)
BY_NAME = {kind.model_fields["step"].annotation.__args__[0]: kind for kind in KINDS}  # type: ignore[union-attr]
"""Kinds of steps by the word that names them."""


def _once(steps: tuple["Step", ...]) -> tuple["Step", ...]:
    names = [step.step for step in steps]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"names a step twice: {', '.join(twice)}")
    return steps


Step = MixPixels | MixBands | MixFrequencies | EqualiseBands | CopyClipped | MatchJpeg
Steps = Annotated[tuple[Annotated[Step, Field(discriminator="step")], ...], AfterValidator(_once)]
