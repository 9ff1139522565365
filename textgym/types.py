"""The array types that the whole package speaks in, and the plain data of a spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
TokenArray = NDArray[np.int32]
KeyArray = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]

Spec = str | Mapping[str, Any]
"""A component as plain data: its name, or a mapping with `name` and its arguments."""
