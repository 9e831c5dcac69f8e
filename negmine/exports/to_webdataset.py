"""WebDataset: tar files in which a clip is ``KEY.flac`` and its labels are ``KEY.json``."""

from __future__ import annotations

import io
import json
import shutil
import tarfile

from negmine.exports.job import CLIPS, Job, Writer


def _write(job: Job) -> int:
    rows = job.distinct()
    files = job.clips(rows)
    size = job.settings.shard_clips
    for first in range(0, len(rows), size):
        shard = job.folder / f"clips-{first // size:06d}.tar"
        with tarfile.open(shard, "w", format=tarfile.USTAR_FORMAT) as out:
            for row, file in zip(
                rows[first : first + size], files[first : first + size], strict=True
            ):
                record = {**row.record(), "classes": list(job.classes)}
                _add(out, f"{row.name}.flac", (job.folder / file).read_bytes())
                text = json.dumps(record, ensure_ascii=False)
                _add(out, f"{row.name}.json", text.encode())
    shutil.rmtree(job.folder / CLIPS)
    return len(rows)


def _add(out: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file whose entry says nothing of when and by whom: the same bytes each time."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o644
    out.addfile(entry, io.BytesIO(content))


WRITER = Writer(_write, "all", "clips")
