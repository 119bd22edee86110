"""aligned pairs -> verdict: Great Expectations on every pair; a failure stops the pipeline.    dda audit tiny"""

from typing import Any

import pandas as pd

from dda import catalog
from dda.core.errors import AuditError
from dda.core.labels import SPLITS
from dda.io import atomic, expectations, tables
from dda.io import pairs as pair_sets
from dda.io.expectations import Expectation
from dda.params import Audit, Params

SAME_SHAPE = ("width", "height", "channels")
SAME_COMPRESSION = ("format", "jpeg_tables", "subsampling")


def run(params: Params, vae: str) -> None:
    """Check one VAE's pairs. Writes a stamp without times, and Data Docs; raises AuditError on a critical failure."""
    catalog.get("vaes", vae)
    pairs = tables.read(params.paths.aligned / vae / "pairs.parquet")
    index = tables.read(params.paths.index)
    manifest = tables.read(params.paths.reconstructions / vae / "manifest.parquet")
    good = pairs[pairs["error"].isna()]
    checked = {
        "pairs": (good, pair_expectations()),
        "compression": (good[~unmatched(good)], same_on_both_sides(SAME_COMPRESSION)),
        "groups": (splits_per_group(pairs), [Expectation("no group lies in two splits", "at_most", ("splits",), 1)]),
        "counts": (counts(index, manifest, pairs), count_expectations(params.audit)),
    }
    documents = params.paths.documents / "audit" / vae
    verdicts = expectations.check(checked, documents)
    broken = [verdict for verdict in verdicts if not verdict["success"] and verdict["severity"] == "critical"]
    of_set = {"vae": vae, "digest": pair_sets.digest(params.paths.aligned / vae)}
    stamp = {**of_set, "passed": not broken, "pairs": len(pairs), "expectations": verdicts}
    atomic.write_json(params.paths.audits / f"{vae}.json", stamp)
    if broken:
        lines = [f"  {one['name']}: {one['unexpected']} of {one['elements']} rows are not so" for one in broken]
        raise AuditError(f"the audit of {vae} failed:\n" + "\n".join(lines) + f"\nDetails: {documents / 'index.html'}")
    print(f"{vae}: audit passed, {len(verdicts)} expectations on {len(pairs)} pairs")


def pair_expectations() -> list[Expectation]:
    """What must hold for every pair, so that nothing but generation tells its sides apart."""
    return [
        *same_on_both_sides(SAME_SHAPE),
        Expectation("every id is unique", "unique", ("image_id",)),
        Expectation("every split is known", "in_set", ("split",), list(SPLITS)),
        Expectation("a fake has at most all of its real's pixels", "at_most", ("real_weight",), 1),
        Expectation("no fake is its real, byte for byte", "different", ("real_sha256", "fake_sha256")),
    ]


def same_on_both_sides(facts: tuple[str, ...]) -> list[Expectation]:
    """One expectation per fact of the stored files."""
    return [
        Expectation(f"real and fake have the same {fact}", "equal", (f"real_{fact}", f"fake_{fact}")) for fact in facts
    ]


def unmatched(pairs: pd.DataFrame) -> pd.Series:
    """Which pairs have a JPEG real whose fake was not given its compression."""
    return (pairs["real_format"] == "JPEG") & ~pairs["jpeg_matched"].astype(bool)


def splits_per_group(pairs: pd.DataFrame) -> pd.DataFrame:
    """A row per group: how many splits it lies in."""
    return pairs.groupby("group")["split"].nunique().rename("splits").reset_index()


def counts(index: pd.DataFrame, manifest: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """One row: how many things went into each step, and how many came out, done or failed."""
    used, reconstructed, paired = (int(table["error"].isna().sum()) for table in (index, manifest, pairs))
    good = pairs[pairs["error"].isna()]
    splits = good["split"].value_counts()
    row: dict[str, Any] = {
        "used_in_index": used,
        "in_manifest": len(manifest),
        "reconstructed": reconstructed,
        "in_pairs": len(pairs),
        "paired": paired,
        "in_splits": int(splits.sum()),
        "in_smallest_split": min(int(splits.get(split, 0)) for split in SPLITS),
        "unmatched_share": float(unmatched(good).mean()) if len(good) else 0.0,
    }
    return pd.DataFrame([row])


def count_expectations(limits: Audit) -> list[Expectation]:
    """Nothing was lost on the way, and no more fakes than allowed kept a compression of their own."""
    return [
        Expectation("every used photo is in the manifest", "equal", ("used_in_index", "in_manifest")),
        Expectation("every reconstruction is in the pairs", "equal", ("reconstructed", "in_pairs")),
        Expectation("every pair is in a split", "equal", ("paired", "in_splits")),
        Expectation("every split has enough pairs", "at_least", ("in_smallest_split",), limits.min_pairs_per_split),
        Expectation("fakes have the compression of their reals", "at_most", ("unmatched_share",), limits.max_unmatched),
    ]
