"""aligned pairs -> verdict: expectations, and shortcut probes; a failure stops the pipeline.    dda audit tiny"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from dda import catalog
from dda.core import audits
from dda.core.audits import Evidence, Side
from dda.core.errors import AuditError
from dda.core.labels import SPLITS
from dda.io import atomic, audit_page, evidence, expectations, pairs, photos, plots, shards, tables
from dda.io.expectations import Expectation
from dda.params import Params
from dda.params.sections import Audit

HELP = "docs/alignment.md for the step that mends each"
SAME_SHAPE = ("width", "height", "channels")
SAME_COMPRESSION = ("format", "jpeg_tables", "subsampling", "progressive")
Row = dict[str, Any]


def run(params: Params, vae: str) -> None:
    """Check one VAE's pairs. Writes a stamp and a page without times, and Data Docs.

    Raises AuditError where a critical expectation fails, or a probe is above its limit.
    """
    catalog.get("vaes", vae)
    (params.paths.audits / f"{vae}.json").unlink(missing_ok=True)  # what is judged now may have changed since
    folder, settings = params.paths.aligned / vae, params.audit
    index = tables.read(params.paths.index)
    manifest = tables.read(params.paths.reconstructions / vae / "manifest.parquet")
    table = tables.read(folder / "pairs.parquet")
    documents = params.paths.documents / "audit" / vae
    stamp: Row = {"name": vae, "vae": vae, "passed": False, "summary": "", "pairs": len(table)}
    stamp["digest"] = pairs.digest(folder)
    stamp["expectations"] = expectations.check(suites(index, manifest, table, settings), documents)
    probed = audits.evenly(pairs.good(folder), settings.probed_pairs)
    sides = seen(params, vae, probed, manifest)
    stamp |= findings(sides, settings)
    broken = failures(stamp)
    told = f"{len(table)} pairs, {len(stamp['expectations'])} expectations, {len(stamp['probes'])} probes"
    stamp |= {"passed": not broken, "summary": f"{told} on {len(probed)} of them."}
    atomic.write_json(params.paths.audits / f"{vae}.json", stamp)
    gallery = [pictures(params, vae, row, manifest) for row in audits.evenly(probed, settings.gallery_pairs)]
    page = params.paths.reports / f"audit-{vae}.html"
    audit_page.write(page, stamp, broken, gallery, documents / "index.html")
    if broken:
        raise AuditError(
            f"the audit of {vae} failed:\n" + "\n".join(f"  {line}" for line in broken) + f"\nSee {page}, and {HELP}"
        )
    print(f"{vae}: audit passed: {told}")


def failures(stamp: Row) -> list[str]:
    """A sentence for each critical expectation that does not hold, and for each probe above its limit."""
    broken = [
        f"{one['name']}: {one['unexpected']} of {one['elements']} rows are not so"
        for one in stamp["expectations"]
        if not one["success"] and one["severity"] == "critical"
    ]
    return broken + audits.sentences(stamp["probes"])


def seen(params: Params, vae: str, probed: list[Row], manifest: pd.DataFrame) -> dict[str, Side]:
    """The evidence of these pairs' reals, aligned fakes, and reconstructions as they were before."""
    places = {row["image_id"]: row for row in tables.records(manifest)}

    def raw(row: Row) -> bytes:
        return reconstruction(params, vae, places[row["image_id"]])

    stored = pairs.PairSet(params.paths.aligned / vae, probed).content
    contents: dict[str, Callable[[Row], bytes]] = {side: partial(stored, side=side) for side in pairs.SIDES}
    readers = {name: partial(evidence_of, reader) for name, reader in (contents | {"raw": raw}).items()}
    found = evidence.gathered(readers, probed, f"audit {vae}")
    groups = [row["group"] for row in probed]
    return {name: Side(side, groups) for name, side in found.items()}


def evidence_of(reader: Callable[[Row], bytes], row: Row) -> Evidence:
    """The evidence of one image of a pair. Raises AuditError where it cannot be read."""
    try:
        return evidence.read(reader(row))
    except (photos.PhotoRejected, ValueError, OSError) as error:
        raise AuditError(f"an image of the pair {row['image_id']} cannot be probed: {error}") from error


def reconstruction(params: Params, vae: str, place: Row) -> bytes:
    """The file of a reconstruction before it was aligned."""
    return shards.read_at(params.paths.reconstructions / vae / place["shard"], place["offset"], place["size"])


def findings(sides: dict[str, Side], settings: Audit) -> Row:
    """What the probes find, of aligned fakes and before, and the spectral gap."""
    draw = {"samples": settings.bootstrap_samples, "seed": settings.seed}
    found, before = (audits.probe_all(sides["real"], sides[name], **draw) for name in ("fake", "raw"))
    return {
        "probes": audits.verdicts(found, settings.limits.model_dump(), before),
        "biases": audits.biases(sides["real"], sides["fake"], **draw),
        "spectra_db": audits.spectra(**sides),
        "spectral_gap_db": audits.gaps(sides["real"], fake=sides["fake"], raw=sides["raw"]),
    }


def pictures(params: Params, vae: str, row: Row, manifest: pd.DataFrame) -> Row:
    """A pair for the gallery: its stored files, and how far apart they are."""
    place = next(one for one in tables.records(manifest[manifest["image_id"] == row["image_id"]]))
    pair = pairs.PairSet(params.paths.aligned / vae, [row])
    real, fake = (photos.decode_any(pair.content(row, side), evidence.MAX_PIXELS) for side in pairs.SIDES)
    return {
        "name": row["image_id"],
        "steps": row["steps"],
        "real": pair.content(row, "real"),
        "reconstruction": reconstruction(params, vae, place),
        "aligned": pair.content(row, "fake"),
        "difference": photos.encode_png(plots.difference(real, fake, audit_page.DIFFERENCE_GAIN)),
    }


def suites(
    index: pd.DataFrame, manifest: pd.DataFrame, table: pd.DataFrame, limits: Audit
) -> dict[str, tuple[pd.DataFrame, list[Expectation]]]:
    """What is checked: each table with what must hold for it."""
    used, made, good = (one[one["error"].isna()] for one in (index, manifest, table))
    return {
        "index": (used, index_expectations()),
        "photos": (splits_by(used, "sha256"), [Expectation(SAME_PHOTO, "at_most", ("splits",), 1, "warning")]),
        "manifest": (with_photo(made, used), manifest_expectations(limits)),
        "pairs": (good, pair_expectations()),
        "compression": (good[good["jpeg_matched"] == "tables"], same_on_both_sides(SAME_COMPRESSION)),
        "untouched": (untouched(good, used), [Expectation(UNTOUCHED, "equal", ("real_sha256", "photo_sha256"))]),
        "groups": (splits_by(table, "group"), [Expectation("no group lies in two splits", "at_most", ("splits",), 1)]),
        "counts": (counts(index, manifest, table), count_expectations(limits)),
    }


SAME_PHOTO = "no photo lies in two splits, byte for byte"
UNTOUCHED = "a real JPEG is the photo's file, byte for byte"


def index_expectations() -> list[Expectation]:
    """What must hold for every photo that is used."""
    return [
        Expectation("every photo's id is unique", "unique", ("image_id",)),
        Expectation("every photo is in a split", "in_set", ("split",), list(SPLITS)),
        Expectation("every photo has pixels", "at_least", ("width",), 1),
    ]


def manifest_expectations(limits: Audit) -> list[Expectation]:
    """What must hold for every reconstruction."""
    return [
        Expectation("every reconstruction's id is unique", "unique", ("image_id",)),
        Expectation("every reconstruction is of a used photo", "at_least", ("photo_width",), 1),
        Expectation("every reconstruction resembles its photo", "at_least", ("psnr",), limits.min_psnr_db),
    ]


def pair_expectations() -> list[Expectation]:
    """What must hold for every pair, so that nothing but generation tells its sides apart."""
    return [
        *same_on_both_sides(SAME_SHAPE),
        Expectation("every pair is there once", "unique", ("image_id", "variant")),
        Expectation("every split is known", "in_set", ("split",), list(SPLITS)),
        Expectation("a fake has at most all of its real's pixels", "at_most", ("real_weight",), 1),
        Expectation("no fake is its real, byte for byte", "different", ("real_sha256", "fake_sha256")),
    ]


def same_on_both_sides(names: tuple[str, ...]) -> list[Expectation]:
    """One expectation per fact of the stored files."""
    return [
        Expectation(f"real and fake have the same {name}", "equal", (f"real_{name}", f"fake_{name}")) for name in names
    ]


def with_photo(made: pd.DataFrame, used: pd.DataFrame) -> pd.DataFrame:
    """Reconstructions with the width of their photo, missing where there is no such photo."""
    return made.merge(used[["image_id", "width"]].rename(columns={"width": "photo_width"}), on="image_id", how="left")


def untouched(good: pd.DataFrame, used: pd.DataFrame) -> pd.DataFrame:
    """Pairs whose real is stored as a JPEG, with the digest of the photo that it should be."""
    photo = used[["image_id", "sha256"]].rename(columns={"sha256": "photo_sha256"})
    return good[good["real_format"] == "JPEG"].merge(photo, on="image_id", how="left")


def splits_by(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row per value of a column: how many splits it lies in."""
    return table.groupby(column)["split"].nunique().rename("splits").reset_index()


def counts(index: pd.DataFrame, manifest: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """One row: how many things went into each step, and how many came out, done or failed."""
    good, used = table[table["error"].isna()], index[index["error"].isna()]
    splits = good["split"].value_counts()
    row: Row = {
        "used_in_index": len(used),
        "in_manifest": len(manifest),
        "reconstructed": int(manifest["error"].isna().sum()),
        "in_pairs": table["image_id"].nunique(),
        "paired": len(good),
        "in_splits": int(splits.sum()),
        "in_smallest_split": min(int(splits.get(split, 0)) for split in used["split"].unique()),  # a share may be 0
        "unmatched_share": float(unmatched(good).mean()) if len(good) else 0.0,
    }
    return pd.DataFrame([row])


def unmatched(good: pd.DataFrame) -> pd.Series:
    """Which pairs have a JPEG real whose fake was not given its compression."""
    return (good["real_format"] == "JPEG") & (good["jpeg_matched"] != "tables")


def count_expectations(limits: Audit) -> list[Expectation]:
    """Nothing was lost on the way, and no more fakes than allowed kept a compression of their own."""
    return [
        Expectation("every used photo is in the manifest", "equal", ("used_in_index", "in_manifest")),
        Expectation("every reconstruction is in the pairs", "equal", ("reconstructed", "in_pairs")),
        Expectation("every pair is in a split", "equal", ("paired", "in_splits")),
        Expectation("every split has enough pairs", "at_least", ("in_smallest_split",), limits.min_pairs_per_split),
        Expectation("fakes have the compression of their reals", "at_most", ("unmatched_share",), limits.max_unmatched),
    ]
