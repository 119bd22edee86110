"""Images within Parquet files: labels by a mapping, bytes as a stream."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL
from dda.io import cells, parquets
from dda.io.photos import PhotoRejected
from tests.benchmarks import as_struct, some, write_parquet

ROW = {
    "files": "*.parquet",
    "columns": {"image": "image", "label": "label", "generator": "model", "source": "from"},
    "labels": {"0": "real", "1": "fake", "tampered": "fake"},
    "generators": {"glide": "GLIDE"},
}
FACTS = {"label": [0, 1, 1], "model": ["x", "glide", None], "from": ["RAISE", None, ""]}


def written(folder, images, **changes):
    write_parquet(folder / "a.parquet", FACTS | {"image": images} | changes, row_group_size=2)
    return list(parquets.parquet(folder, ROW))


@pytest.mark.parametrize("as_column", [list, as_struct], ids=["bytes", "struct"])
def test_every_row_of_every_row_group_is_an_image_with_its_facts_and_bytes(tmp_path, as_column):
    images = written(tmp_path, as_column(some(3)))
    assert [image.image_id for image in images] == [f"a.parquet#00000{number}" for number in range(3)]
    told = [(image.label, image.generator, image.source) for image in images]
    assert told == [(REAL, "real", "RAISE"), (FAKE, "GLIDE", "generated"), (FAKE, tmp_path.name, "generated")]
    assert [image.read() for image in images] == some(3)


def test_images_may_be_read_in_any_order_and_again(tmp_path):
    contents = some(200)
    write_parquet(tmp_path / "a.parquet", {"image": contents, "label": [1] * 200}, row_group_size=150)
    row = {**ROW, "columns": {"image": "image", "label": "label"}}
    images = list(parquets.parquet(tmp_path, row))
    for order in (range(200), range(199, -1, -7), [0, 149, 150, 0, 80, 79, 199]):
        assert [images[place].read() for place in order] == [contents[place] for place in order]


def test_a_large_file_never_lies_in_memory(tmp_path):
    n_images, n_bytes = 200, 200_000
    contents = [os.urandom(n_bytes) for _ in range(n_images)]
    write_parquet(tmp_path / "a.parquet", {"image": contents, "label": [1] * n_images}, row_group_size=20)
    del contents
    before, most = pa.total_allocated_bytes(), 0
    for image in parquets.parquet(tmp_path, {**ROW, "columns": {"image": "image", "label": "label"}}):
        assert len(image.read()) == n_bytes
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 0.6 * n_images * n_bytes


def test_a_label_that_nobody_mapped_is_an_error(tmp_path):
    with pytest.raises(SetupError, match=r"row 1 of a.parquet has the label '2'; known are 0 \(real\)"):
        written(tmp_path, some(3), label=[0, 2, 1])
    with pytest.raises(SetupError, match=r"row 2 of a.parquet has the label ''"):
        written(tmp_path, some(3), label=[0, 1, None])


def test_a_third_class_is_mapped_by_its_name_where_the_file_tells_it(tmp_path):
    table = pa.table({"image": some(3), "label": [0, 1, 2], "model": ["a", "b", "c"], "from": ["", "", ""]})
    features = {"label": {"names": ["0", "1", "tampered"], "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "a.parquet")
    assert [image.label for image in parquets.parquet(tmp_path, ROW)] == [REAL, FAKE, FAKE]


def test_a_missing_column_and_a_column_without_bytes_are_errors(tmp_path):
    write_parquet(tmp_path / "a.parquet", FACTS | {"images": some(3)})
    with pytest.raises(SetupError, match=r"a.parquet has no column 'image'. Did you mean 'images'"):
        list(parquets.parquet(tmp_path, ROW))
    with pytest.raises(SetupError, match="is string; expected bytes, or a struct"):
        written(tmp_path, ["a", "b", "c"])


def test_a_file_that_is_no_parquet_is_an_error(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"version https://git-lfs")
    with pytest.raises(SetupError, match=r"cannot be read as Parquet: .*; get the file again"):
        list(parquets.parquet(tmp_path, ROW))


def test_a_row_without_bytes_keeps_its_place(tmp_path):
    first, second = some(2)
    images = written(tmp_path, [{"bytes": first, "path": None}, {"bytes": None, "path": "/etc/x"}, {"bytes": second}])
    assert (images[0].read(), images[2].read()) == (first, second)
    with pytest.raises(PhotoRejected, match="holds no bytes of it, only the name '/etc/x'"):
        images[1].read()


def test_a_file_that_goes_away_or_changes_gives_a_reason(tmp_path):
    *_, last = written(tmp_path, some(3))
    cells._STREAMS._last = None
    write_parquet(tmp_path / "a.parquet", {"image": some(1), "label": [1]})
    with pytest.raises(PhotoRejected):
        last.read()
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(PhotoRejected, match="cannot be read from"):
        last.read()


def test_the_file_names_the_generator_of_both_sides_where_the_row_says_so(tmp_path):
    write_parquet(tmp_path / "sd15-00000-of-00002.parquet", {"image": some(2), "label": [0, 1]})
    row = {**ROW, "columns": {"image": "image", "label": "label"}}
    row |= {"generator_is_file": True, "reals_by_generator": True, "generators": {}}
    assert [image.generator for image in parquets.parquet(tmp_path, row)] == ["sd15", "sd15"]
