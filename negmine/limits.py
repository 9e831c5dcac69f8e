"""The largest values of settings: what a slip of the pen, or another's file, must not pass.

They are far above anything of use. What is beyond would fill memory or never end.
"""

from __future__ import annotations

# Rows of a pool, clips of a search, steps of a run.
MOST_ROWS = 100_000_000
# Clips in memory at a time.
MOST_BATCH = 65_536
MOST_WORKERS = 256
MOST_CLIP_S = 3600.0
# Ultrasound is recorded at half of it.
MOST_HZ = 1_000_000
# torch multiplies a seed with the step in 64 bits.
LAST_SEED = 2**32 - 1
