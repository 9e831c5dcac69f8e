"""What a model's file says of itself, and the sidecar that says it for others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from negmine.errors import ModelError
from negmine.models.description import ModelDescription, describe, file_fingerprint

SIDECAR = """
classes = ["tree frog", "tinamú"]
sample_rate = 32000
clip_s = 5
embeddings = 1
logits = "scores"
held_out = ["rec07"]
"""

WANT = ModelDescription(
    ("tree frog", "tinamú"), 32000, 5.0, 1, "scores", held_out=frozenset({"rec07"})
)


def test_description_survives_its_text() -> None:
    given = ModelDescription(
        ("a", "ü"), 8000, 0.5, held_out=frozenset({"r2", "r1"}), checkpoint="f"
    )
    assert ModelDescription.from_json(given.to_json(), "x") == given
    assert describe(Path("nowhere.onnx"), given.to_json()) == (given, b"")


def test_text_is_the_same_whatever_the_order_of_a_set() -> None:
    names = [f"rec{i}" for i in range(50)]
    texts = {
        ModelDescription(("a",), 8000, 1.0, held_out=frozenset(order)).to_json()
        for order in (names, names[::-1])
    }
    assert len(texts) == 1


@pytest.mark.parametrize("name", ["model.onnx.toml", "model.toml"])
def test_a_sidecar_describes_a_file_of_others(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(SIDECAR, encoding="utf-8")
    found, content = describe(tmp_path / "model.onnx", None)
    assert found == WANT
    assert content == SIDECAR.encode()


def test_the_longer_name_wins_and_metadata_over_both(tmp_path: Path) -> None:
    (tmp_path / "model.onnx.toml").write_text(SIDECAR, encoding="utf-8")
    (tmp_path / "model.toml").write_text("nonsense")
    assert describe(tmp_path / "model.onnx", None)[0] == WANT
    own = ModelDescription(("a",), 8000, 1.0)
    assert describe(tmp_path / "model.onnx", own.to_json()) == (own, b"")


def test_without_either_the_error_says_what_to_write(tmp_path: Path) -> None:
    message = r"model\.onnx: not exported by negmine, and no model\.onnx\.toml beside it; write one"
    with pytest.raises(ModelError, match=message):
        describe(tmp_path / "model.onnx", None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("clip_s", "clips_s", r"unknown key 'clips_s' \(did you mean clip_s\?\)"),
        ("sample_rate = 32000", "", "'sample_rate' is missing"),
        ("embeddings = 1", "", "'embeddings' is missing: the output's name, or its number"),
        ('logits = "scores"', "", "'logits' is missing"),
        ("embeddings = 1", "embeddings = -1", "embeddings -1: expected an output's name"),
        ("embeddings = 1", "embeddings = true", "embeddings True: expected"),
        ("sample_rate = 32000", "sample_rate = 32e3", r"sample_rate 32000\.0: expected a whole"),
        ("sample_rate = 32000", "sample_rate = 0", "sample_rate 0: expected a whole"),
        ("sample_rate = 32000", "sample_rate = 10_000_000", "sample_rate .*at most 1000000"),
        ("clip_s = 5", "clip_s = 1e30", "clip_s .*at most 3600"),
        ('["tree frog", "tinamú"]', f'["{"x" * 300}"]', "classes .* expected"),
        ("clip_s = 5", "clip_s = 0", "clip_s 0: expected seconds above 0"),
        ("clip_s = 5", "clip_s = inf", "clip_s inf: expected seconds above 0"),
        ("clip_s = 5", 'clip_s = "5"', "clip_s '5': expected seconds above 0"),
        ('["tree frog", "tinamú"]', '"frog"', "classes 'frog': expected a list of different names"),
        ('["tree frog", "tinamú"]', "[]", r"classes \[\]: expected"),
        ('["tree frog", "tinamú"]', '["a", "a"]', r"classes \['a', 'a'\]: expected"),
        ('["tree frog", "tinamú"]', '["a", ""]', "classes .* expected"),
        ('["rec07"]', "[7]", r"held_out \[7\]: expected a list of recordings' names"),
        ("[", "", "not readable as TOML"),
    ],
)
def test_a_sidecar_is_checked(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SIDECAR
    text = SIDECAR.replace(old, new, 1)
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=rf"m\.toml: {message}"):
        describe(tmp_path / "m.onnx", None)


def test_a_sidecar_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_bytes(SIDECAR.encode("latin-1"))
    with pytest.raises(ModelError, match=r"m\.toml: not UTF-8"):
        describe(tmp_path / "m.onnx", None)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "{}", '{"format": "other", "version": 1}'])
def test_damaged_metadata(text: str) -> None:
    with pytest.raises(ModelError, match="its metadata 'negmine' is damaged; export it again"):
        ModelDescription.from_json(text, "m.onnx")


def test_metadata_of_another_version() -> None:
    content = json.loads(ModelDescription(("a",), 8000, 1.0).to_json()) | {"version": 9}
    with pytest.raises(ModelError, match="a model file of version 9, not 1"):
        ModelDescription.from_json(json.dumps(content), "m.onnx")


def test_fingerprint_is_that_of_bytes_and_where_they_end(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"12")
    b.write_bytes(b"3")
    seen = [
        file_fingerprint([a, b]),
        file_fingerprint([b, a]),
        file_fingerprint([a], b"3", b"4"),
        file_fingerprint([a], b"34"),
    ]
    assert len(set(seen)) == len(seen)
    assert file_fingerprint([a], b"3") == file_fingerprint([a, b])
    assert all(len(one) == 32 for one in seen)
    with pytest.raises(ModelError, match="gone: cannot be read"):
        file_fingerprint([tmp_path / "gone"])
