"""How much time and memory a data set takes: `python tests/textgym/test_dataset_size.py bytes 10000 100000 1000000`."""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from textgym.tasks.base import SPLITS
from textgym.vector_env import TextVectorEnv

ROOT = Path(__file__).parents[2]
WORDS = [f"{a}{b}{c}" for a in ("ka", "lo", "mi", "ne", "su", "ta") for b in ("r", "n", "st", "l") for c in "aeiou"]


def write_rows(path, count, seed=0):
    """Writes rows whose prompts and references are longer than 128 and 64 bytes: every row is as wide as can be."""
    generator = random.Random(seed)
    phrases = [" ".join(generator.choices(WORDS, k=18)) for _ in range(5000)]  # 71 characters each
    with open(path, "w") as file:
        for number in range(count):
            one, two, three = generator.choices(phrases, k=3)
            file.write(json.dumps({"prompt": f"{number} {one} {two}", "reference": f"{number} {three}"}) + "\n")


def measure(path, tokenizer):
    """Reads a file, and writes 256 texts for gold; prints the seconds of both and the peak of memory in MiB."""
    start, used = time.perf_counter(), time.process_time()
    arguments = {"data": path, "tokenizer": tokenizer}
    env = gymnasium.make("textgym/Dataset-v0", **arguments)
    task = env.unwrapped.simulator.task
    made, used = time.perf_counter(), time.process_time() - used
    envs = TextVectorEnv(256, "dataset", reward="gold", max_new_tokens=8, **arguments)
    envs.reset(seed=0)
    for _ in range(16):
        envs.step(np.full(256, 40))
    stepped = time.perf_counter()
    print(
        json.dumps(
            {
                "rows": task.counts["kept"],
                "tokenizer": tokenizer,
                "seconds": round(made - start, 1),
                "of the processor": round(used, 1),
                "seconds of 16 steps": round(stepped - made, 1),
                "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "arrays MiB": sum(_bytes(task.prompt_set(split)) for split in SPLITS) >> 20,
                "widths": [task.max_prompt_tokens, task.max_new_tokens],
            }
        )
    )


def _bytes(prompts):
    return prompts.prompt_ids.nbytes + prompts.reference_ids.nbytes


def measured_apart(path, tokenizer):
    """What `measure` prints, in a process of its own."""
    command = [sys.executable, __file__, "--measure", str(path), tokenizer]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_million_rows_take_less_than_two_gigabytes(tmp_path):
    peaks = []
    for count in (10_000, 100_000, 1_000_000):
        write_rows(tmp_path / "rows.jsonl", count)
        found = measured_apart(tmp_path / "rows.jsonl", "bytes")
        print(found)
        assert found["rows"] == count
        peaks.append(found["peak MiB"])
    assert found["arrays MiB"] == 4 * (128 + 64) * 1_000_000 >> 20
    assert max(peaks) < 2000


if __name__ == "__main__":
    if sys.argv[1] == "--measure":
        measure(*sys.argv[2:])
    else:
        kind, *counts = sys.argv[1:]
        with tempfile.TemporaryDirectory() as folder:
            for count in counts:
                write_rows(Path(folder, "rows.jsonl"), int(count))
                print(measured_apart(Path(folder, "rows.jsonl"), kind), flush=True)
