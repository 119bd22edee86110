"""MLCommons Croissant 1.0 metadata of a published set, as JSON-LD: files with digests, and the columns of its pairs."""

from collections.abc import Iterable, Mapping
from typing import Any

VERSION = "http://mlcommons.org/croissant/1.0"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
ENCODINGS = {".tar": "application/x-tar", ".parquet": "application/x-parquet", ".json": "application/json"}
TYPES = {"text": "sc:Text", "integer": "sc:Integer", "number": "sc:Float", "truth": "sc:Boolean"}

File = tuple[str, int, str]
"""A file's name, its size in bytes, its sha256 in hex."""


def metadata(words: Mapping[str, Any], files: Iterable[File], table: str, columns: Mapping[str, str]) -> dict[str, Any]:
    """The whole document.

    `words` are name, description and license; `columns` gives each column of the table, one of the files, as `text`,
    `integer`, `number` or `truth`. Names of files are addresses relative to the document. No creator, no time: nobody
    knows them here, and the same set has the same metadata.
    """
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": VERSION,
        **words,
        "isLiveDataset": False,
        "distribution": [file_object(*file) for file in sorted(files)],
        "recordSet": [pair_records(table, columns)],
    }


def file_object(name: str, size: int, sha256: str) -> dict[str, Any]:
    """One file that can be fetched."""
    encoding = next((kind for ending, kind in ENCODINGS.items() if name.endswith(ending)), "application/octet-stream")
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{size} B",
        "encodingFormat": encoding,
        "sha256": sha256,
    }


def pair_records(table: str, columns: Mapping[str, str]) -> dict[str, Any]:
    """A record per pair, out of the table."""
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"pairs/{column}",
            "name": column,
            "description": described(column),
            "dataType": TYPES[kind],
            "source": {"fileObject": {"@id": table}, "extract": {"column": column}},
        }
        for column, kind in columns.items()
    ]
    key = {"key": [{"@id": f"pairs/{name}"} for name in ("image_id", "variant") if name in columns]}
    description = "a row per pair: a real image, its fake, and where both lie in the shards"
    return {
        "@type": "cr:RecordSet",
        "@id": "pairs",
        "name": "pairs",
        "description": description,
        **key,
        "field": fields,
    }


MEANINGS = {
    "image_id": "unique name of the photo, and the key of its members in a shard",
    "variant": "which of the photo's fakes, from 0",
    "group": "photos of one group lie in one split",
    "split": "train, val or test",
    "shard": "the tar file that holds the pair",
    "error": "why there is no pair; empty where there is one",
    "real_weight": "share of the real's pixels that was mixed into the fake",
    "steps": "what was done to the fake, in order, as JSON",
    "band_real_weight": "share of the real in the bands from first_band to last_band of the 8x8 DCT",
    "first_band": "first band u + v that was blended",
    "last_band": "last band u + v that was blended",
    "frequency_real_weight": "share of the real in the frequencies above the cutoff",
    "cutoff": "frequency in cycles per pixel",
    "bands_equalised": "whether the energy of each pattern of the 8x8 DCT was scaled to the real's",
    "clipped_copied": "whether black and white were taken over from the real",
    "jpeg_matched": "whether the fake was given its real's JPEG tables, a standard quality, or nothing",
    "progressive": "whether a JPEG is progressive",
    "name": "name of the stored file in the shard",
    "offset": "byte of the shard at which the stored file begins",
    "size": "bytes of the stored file",
    "sha256": "digest of the stored file",
    "format": "format of the stored file",
    "width": "width in pixels",
    "height": "height in pixels",
    "channels": "colour channels",
    "jpeg_quality": "quality that a JPEG's tables amount to",
    "jpeg_tables": "digest of a JPEG's quantisation tables",
    "subsampling": "chroma subsampling of a JPEG",
}


def described(column: str) -> str:
    """What a column holds, as far as that is known."""
    side, _, fact = column.partition("_")
    if column in MEANINGS or side not in ("real", "fake"):
        return MEANINGS.get(column, column.replace("_", " "))
    return f"{side} image: {MEANINGS.get(fact, fact.replace('_', ' '))}"
