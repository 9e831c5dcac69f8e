"""Names of the arrays that rooms pass to each other: each says what is counted and its dtype.

A dimension is what the name ends in: ``Rows`` are (n,), one entry a row; ``Entries`` are (m,), the
entries of all rows, one after another; ``Cells`` are a row and a class, or a row and a part.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Sound: (T,), and a batch of clips of one length: (B, T).
FloatSamples = NDArray[np.float32]
IntSamples = NDArray[np.int16]
FloatBatch = NDArray[np.float32]

# One entry a row: (n,).
BoolRows = NDArray[np.bool_]
ByteRows = NDArray[np.uint8]
IntRows = NDArray[np.int64]
FloatRows = NDArray[np.float64]
WeightRows = NDArray[np.float32]
TextRows = NDArray[np.str_]
IdRows = NDArray[np.void]
AnyRows = NDArray[Any]

# Entries of all rows: (m,).
BoolEntries = NDArray[np.bool_]
IntEntries = NDArray[np.int64]
FloatEntries = NDArray[np.float64]
AnyEntries = NDArray[Any]

# Where each row's entries start, and the end: (n + 1,).
IntStarts = NDArray[np.int64]

# One entry a label set, or a source.
BoolSets = NDArray[np.bool_]
IntSets = NDArray[np.int64]
FloatSets = NDArray[np.float64]
KeySets = NDArray[np.void]

# One entry a class: (C,).
BoolClasses = NDArray[np.bool_]
WeightClasses = NDArray[np.float32]

# Rows by parts: (n, p). Classes, eight to a byte, by rows: (ceil(C / 8), n).
IntCells = NDArray[np.int64]
FloatCells = NDArray[np.float64]
BitCells = NDArray[np.uint8]

# Which rows: a slice, a mask, or their numbers.
RowChoice = slice | NDArray[np.bool_] | NDArray[np.int64]
