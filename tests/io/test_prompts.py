import pytest

from dda.core.errors import SetupError
from dda.io import prompts


def test_a_text_file_has_a_prompt_on_each_line(tmp_path):
    (tmp_path / "prompts.txt").write_text("a bench\n  two dogs \ntwo dogs", "utf-8")
    assert prompts.read(tmp_path / "prompts.txt") == ["a bench", "two dogs", "two dogs"]


def test_a_json_lines_file_has_a_prompt_in_each_object(tmp_path):
    line = '{"tag": "single_object", "include": [{"class": "bench"}], "prompt": "a photo of a bench \\u00e9"}\n'
    (tmp_path / "evaluation_metadata.jsonl").write_text(line * 3, "utf-8")
    assert prompts.read(tmp_path / "evaluation_metadata.jsonl") == ["a photo of a bench é"] * 3


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("p.txt", b"", "line 1 of .* is not a prompt: ''"),
        ("p.txt", b"one\n\nthree\n", "line 2 of .* is not a prompt"),
        ("p.txt", b"\xff\xfe\xff", "cannot read the prompts .* as UTF-8 text"),
        ("p.jsonl", b'{"prompt": "a"}\n{"text": "b"}\n', "line 2 of .* is not a JSON object with the key 'prompt'"),
        ("p.jsonl", b'{"prompt": 3}', "line 1 of .* is not a JSON object"),
        ("p.jsonl", b'{"prompt": "half \\ud800"}', "line 1 of .* is not a JSON object"),
        ("p.jsonl", b"[1]", "line 1 of .* is not a JSON object"),
        ("p.jsonl", b"a bench", "line 1 of .* is not a JSON object"),
    ],
)
def test_a_file_without_a_prompt_on_every_line_is_refused_by_the_line(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SetupError, match=told):
        prompts.read(tmp_path / name)


def test_a_file_that_is_not_there_says_what_to_put_there(tmp_path):
    with pytest.raises(SetupError, match=r"no prompts at .*: put them there, or name another file by generate.prompts"):
        prompts.read(tmp_path / "none.txt")


def test_a_folder_is_no_file_of_prompts(tmp_path):
    with pytest.raises(SetupError, match="cannot read the prompts"):
        prompts.read(tmp_path)
