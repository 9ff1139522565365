"""What a person sees of an environment: the prompt, the text so far, and what the last token earned."""

from __future__ import annotations

import gymnasium
import numpy as np

from textgym.simulator import Simulator, StepResult


def prompt_and_text(simulator: Simulator, row: int) -> tuple[str, str]:
    """Returns the prompt of one row and all that followed; where the task answers, that has one line for each turn."""
    ids = simulator.input_ids[row, : simulator.lengths[row]]
    border = int(np.flatnonzero(ids == simulator.vocabulary.separator_id)[0]) + 1
    return simulator.vocabulary.decode(ids[:border]), simulator.task.decode_transcript(ids[border:])


def render_ansi(simulator: Simulator, row: int, result: StepResult | None) -> str:
    """Returns one row as text with colours of the terminal.

    Args:
        simulator: the simulator.
        row: which of its rows.
        result: what its last step returned; None right after a reset.

    Raises:
        gymnasium.error.ResetNeeded: if the row has had no text yet.
    """
    if simulator.episodes[row] < 0:
        raise gymnasium.error.ResetNeeded(f"row {row} has no text yet: call reset() before render()")
    prompt, text = prompt_and_text(simulator, row)
    lines = [f"\x1b[2m{prompt}\x1b[0m", f"\x1b[1m{text}\x1b[0m"]
    if result is not None and result.stepped[row] and simulator.steps[row]:  # else its next text has begun
        signals = zip(
            simulator.signal_names, result.info["signals"][row], result.info["observed_mask"][row], strict=True
        )
        parts = [f"{name} {value:.3f}" for name, value, given in signals if given]
        parts.append(f"reward {result.reward[row]:.3f}")
        if result.terminated[row]:
            gold, reason = result.final["gold_return"][row], result.final["finish_reason"][row]
            parts.append(f"gold {gold:.3f} ({reason})")
        lines.append("\x1b[36m" + "  ".join(parts) + "\x1b[0m")
    return "\n".join(lines) + "\n"
