"""Parquet tables come back as written; what would fill memory does not come back at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from negmine.errors import PoolError
from negmine.storage.files import write_table
from negmine.storage.parquet import read_table


def test_a_table_comes_back_with_its_metadata(tmp_path: Path) -> None:
    table = pa.table({"b": ["x", None], "a": [1.5, 2.5], "more": [1, 2]})
    write_table(tmp_path / "t.parquet", table, {"pool": "/a/b", "note": "coquí"})
    found, metadata = read_table(tmp_path / "t.parquet", {"a": pa.float64(), "b": pa.string()})
    assert found.to_pydict() == {"a": [1.5, 2.5], "b": ["x", None]}
    assert metadata == {"pool": "/a/b", "note": "coquí"}


def test_a_table_without_metadata_or_rows_comes_back(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", pa.table({"a": pa.array([], pa.int32())}))
    found, metadata = read_table(tmp_path / "t.parquet", {"a": pa.int32()})
    assert (found.num_rows, metadata) == (0, {})


def test_what_is_no_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("text\n" * 9)
    with pytest.raises(PoolError, match=r"t\.parquet: not readable as Parquet"):
        read_table(tmp_path / "t.parquet", {})
    with pytest.raises(PoolError, match=r"gone\.parquet: no such file"):
        read_table(tmp_path / "gone.parquet", {})


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.parquet")
    with pytest.raises(PoolError, match=r"t\.parquet: is a pipe or a device"):
        read_table(tmp_path / "t.parquet", {"a": pa.int32()})


def repeated(text: str, count: int) -> pa.Array:
    codes = pa.array(np.zeros(count, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(codes, pa.array([text]))


def test_rows_that_were_never_written_one_by_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    # the bytes of a selection of a few hundred rows
    pq.write_table(pa.table({"a": repeated("x" * 24, 3_000_000)}), path, store_schema=False)
    assert path.stat().st_size < 100_000
    with pytest.raises(PoolError, match=r"t\.parquet: claims 3000000 rows in \d+ bytes"):
        read_table(path, {"a": pa.string()})
    assert read_table(path, {"a": pa.string()}, most_rows=3_000_000)[0].num_rows == 3_000_000
    with pytest.raises(PoolError, match=r"claims 3000000 rows .* at most 2999999 are possible"):
        read_table(path, {"a": pa.string()}, most_rows=2_999_999)


@pytest.mark.parametrize("kind", [pa.string(), pa.binary()])
def test_a_long_text_repeated_is_refused_before_it_fills_memory(
    tmp_path: Path, kind: pa.DataType
) -> None:
    path = tmp_path / "t.parquet"
    codes = pa.array(np.zeros(90_000, dtype=np.int32))
    entry = pa.array([os.urandom(30_000).hex()], pa.string()).cast(kind)
    # 5.4 GB of text in some 60 kB, in a process that may not have as much
    pq.write_table(pa.table({"a": pa.DictionaryArray.from_arrays(codes, entry)}), path,
                   store_schema=False)  # fmt: skip
    name = "string" if pa.types.is_string(kind) else "binary"
    program = (
        "import resource, sys, pyarrow as pa\n"
        "from pathlib import Path\nfrom negmine.errors import PoolError\n"
        "from negmine.storage.parquet import read_table\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        f"try: read_table(Path(sys.argv[1]), {{'a': pa.{name}()}})\n"
        "except PoolError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert "column 'a' unpacks to 5400 MB of text" in done.stdout


def test_bytes_that_unpack_to_far_more_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    text = pa.array(["x" * 50_000_000], pa.string())
    pq.write_table(pa.table({"a": text}), path, compression="zstd", use_dictionary=False)
    with pytest.raises(PoolError, match=r"\d+ bytes that unpack to 50 MB"):
        read_table(path, {"a": pa.string()})


def test_many_different_texts_come_back(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    # long enough that the columns could be bombs, by what their headers say
    texts = [f"{number:024x}" for number in range(40_000)]
    write_table(path, pa.table({"a": texts, "b": [text.encode() for text in texts]}))
    found, _ = read_table(path, {"a": pa.string(), "b": pa.binary()})
    assert found.column("a").to_pylist() == texts
    assert found.schema.field("b").type == pa.binary()
