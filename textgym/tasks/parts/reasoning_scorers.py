"""The scorers of reasoning-gym, made safe: nothing that an agent writes is executed, and a score is always a score."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

LEFT_OUT: Mapping[str, str] = {
    "boxnet": "it knows no answer, so there is no reference and no budget",
    "coin_flip": "its scorer pays the answer 0 in full for every probability below 1",
    "composite": "it only mixes the others",
    "game_of_life_halting": "its scorer pays every answer in full that isn't empty",
    "intermediate_integration": "its scorer lets sympy simplify what was written, and nobody knows for how long",
    "puzzle24": "its scorer doesn't look at the prompt: 6 * 4 * 1 * 1 solves every puzzle",
    "rush_hour": "it knows no answer, so there is no reference and no budget",
}
"""The data sets that can't be tasks, and why."""

_NUMBERS = re.compile(r"[-\s0-9,\[\]]*")
_POLYNOMIAL = re.compile(  # no power but of a letter; sympy takes `* *` for one, too
    r"(?:[a-zCX]\*\*[0-9]{1,2}(?!\w)|[a-zCX](?!\w)|[0-9]{1,12}(?!\w)|/(?=[0-9])|\*(?!\s*\*)|[-+()\s])*"
)
_ARITHMETIC = re.compile(r"(?:[0-9]{1,12}(?!\w)|\*(?!\s*\*)|[-+/()\s])*")
_NO_NAN = re.compile(r"(?!.*nan).*", re.DOTALL | re.IGNORECASE)

READABLE: Mapping[str, tuple[re.Pattern[str], str]] = {
    "binary_matrix": (_NUMBERS, "it evaluates what was written as Python"),
    "complex_arithmetic": (_NO_NAN, "it pays nan in full"),
    "countdown": (_ARITHMETIC, "sympy evaluates what was written as Python"),
    "n_queens": (re.compile(r"[_Q\s,'\"\[\]]*"), "it evaluates what was written as Python"),
    "number_sorting": (_NO_NAN, "it pays a list of NaN in full"),
    "polynomial_multiplication": (_POLYNOMIAL, "sympy evaluates what was written as Python"),
    "rubiks_cube": (re.compile(r"(?!.*\d\d).*", re.DOTALL), "it makes as many moves as a number says"),
    "simple_integration": (_POLYNOMIAL, "sympy evaluates what was written as Python"),
    "spiral_matrix": (_NUMBERS, "it evaluates what was written as Python"),
    "string_insertion": (re.compile(r"[A-E\s,'\"\[\]]*"), "it evaluates what was written as Python"),
}
"""What a text must look like as a whole for a scorer to see it, and why; any other earns what the empty text does."""

_ROUNDING = 1e-9


def score(name: str, dataset: Any, text: str, entry: dict[str, Any]) -> float:
    """Returns what the scorer of a data set gives to a text, in [0, 1].

    A text that it must not see counts as empty. One on which it fails, or to which it gives what isn't a score, gets 0.
    """
    if name in READABLE and not READABLE[name][0].fullmatch(text):
        text = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = float(dataset.score_answer(text, entry))
    except Exception:  # whatever a scorer fails with: it is somebody else's, and the text anybody's
        return 0.0
    return min(max(value, 0.0), 1.0) if -_ROUNDING <= value <= 1 + _ROUNDING else 0.0
