"""A Hugging Face audio folder: clips, and ``metadata.jsonl`` with what is known of each."""

from __future__ import annotations

import json

from negmine.exports.job import Job, Writer
from negmine.storage.files import writing

METADATA = "metadata.jsonl"


def _write(job: Job) -> int:
    rows = job.distinct()
    files = job.clips(rows)
    with writing(job.folder / METADATA) as temporary, temporary.open("w", encoding="utf-8") as out:
        for row, file in zip(rows, files, strict=True):
            line = {"file_name": file, **row.record()}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    return len(rows)


WRITER = Writer(_write, "all", "clips")
