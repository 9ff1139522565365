"""How fast it all is, side by side in one run: `python -m benchmarks.throughput --json FILE`.

What is compared runs in turns and medians are taken, because machines are noisy. The learners are measured on a GPT-2
of 2 layers, 128 wide, with prompts of 16 tokens, 32 new tokens, a vocabulary of 512, 64 rows and 4 epochs of PPO.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import gymnasium
import numpy as np
import torch
import typer
from gymnasium import spaces
from rich.console import Console
from rich.table import Table
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv
from torch.nn.functional import cross_entropy
from transformers import DynamicCache

import textgym
from agents.backbone import Backbone, cache_argument
from agents.policy import TransformerPolicy
from agents.rollout_buffer import SequenceRolloutBuffer
from agents.vec_env import make_vec_env
from benchmarks.pictures.examples import everything
from textgym.tasks.base import SPLITS, PromptSet, Task
from textgym.transition import Transition
from textgym.types import FloatArray
from textgym.vocabulary import SPECIAL_TOKENS, WordVocabulary

PROMPT_TOKENS, NEW_TOKENS, VOCABULARY, ROWS, EPOCHS = 16, 32, 512, 64, 4
BATCH_TEXTS = 16
"""Texts in a minibatch; PPO's batch size is as many times the tokens of one."""

ENV_ID = "benchmarks/RandomWords-v0"


class EndlessVocabulary(WordVocabulary):
    """Words of which none ends a text, so that every text has the same number of tokens."""

    end_id = -1


class RandomWords(Task):
    """Prompts of random words, nothing to learn: texts of a known size, to measure learners on."""

    max_new_tokens = NEW_TOKENS
    default_feedback = ({"name": "repetition", "weight": 1.0},)

    def __init__(self) -> None:
        self.vocabulary = EndlessVocabulary([f"w{number}" for number in range(VOCABULARY - len(SPECIAL_TOKENS))])

    def make_prompt_set(self, split: str) -> PromptSet:
        generator = np.random.default_rng(SPLITS.index(split))
        prompts = generator.integers(len(SPECIAL_TOKENS), VOCABULARY, (256, PROMPT_TOKENS - 1)).tolist()
        return PromptSet.from_tokens(prompts, [[]] * len(prompts), self.vocabulary)

    def gold(self, transition: Transition) -> FloatArray:
        return np.zeros(len(transition))


def make_words_env(rows: int) -> VecEnv:
    """Returns rows of random words; registered here and not on import, which would change every list of ids."""
    if ENV_ID not in gymnasium.registry:
        textgym.register_component("tasks", "random_words", RandomWords)
        textgym.register_env(ENV_ID, task="random_words")
    return make_vec_env(ENV_ID, n_envs=rows, seed=0)


def env_speed(env_id: str, rows: int, mode: str, seconds: float, **env_kwargs: Any) -> Callable[[], float]:
    """Returns a function that writes random tokens for some seconds and returns tokens per second.

    Args:
        env_id: the environment.
        rows: how many texts at once.
        mode: Gymnasium's vectorization mode.
        seconds: how long each call lasts.
        **env_kwargs: the environment's further arguments; by default it has its own feedback.
    """
    env = gymnasium.make_vec(env_id, num_envs=rows, vectorization_mode=mode, **env_kwargs)
    simulator = gymnasium.make(env_id).get_wrapper_attr("simulator")
    writable = np.flatnonzero(simulator.vocabulary.writable)
    actions = np.random.default_rng(0).choice(writable, (1024, rows))
    env.reset(seed=0)

    def run() -> float:
        steps, tokens, started = 0, 0, time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            info = env.step(actions[steps % len(actions)])[4]
            steps += 1
            tokens += int(np.count_nonzero(info["_clean_reward"])) if "_clean_reward" in info else 0  # not the resets
        return tokens / elapsed

    return run


def ppo_speed(rows: int, epochs: int) -> Callable[[], float]:
    """Returns a function that does one iteration of PPO with our policy and buffer and returns tokens per second."""
    model = PPO(
        TransformerPolicy,
        make_words_env(rows),
        rollout_buffer_class=SequenceRolloutBuffer,
        n_steps=NEW_TOKENS,
        batch_size=BATCH_TEXTS * NEW_TOKENS,
        n_epochs=epochs,
        gamma=1.0,
        seed=0,
    )

    def run() -> float:
        started = time.perf_counter()
        model.learn(rows * NEW_TOKENS, reset_num_timesteps=False)
        return rows * NEW_TOKENS / (time.perf_counter() - started)

    return run


class PlainTransformer(BaseFeaturesExtractor):
    """The state of the last token of each observation, from a pass over all of it."""

    def __init__(self, observation_space: spaces.Dict) -> None:
        backbone = _backbone()
        super().__init__(observation_space, backbone.value_head.in_features)
        self.backbone = backbone

    def forward(self, observations: dict[str, torch.Tensor]) -> torch.Tensor:
        hidden = self.backbone.hidden(observations["input_ids"].long())  # (M, L, D)
        last = observations["attention_mask"].sum(dim=1).long() - 1
        return hidden[torch.arange(len(last)), last]


class Stopwatch(BaseCallback):
    """Takes the time of one iteration's rollout and update, in seconds."""

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self.started = time.perf_counter()

    def _on_rollout_end(self) -> None:
        self.rolled_out = time.perf_counter()

    def _on_training_end(self) -> None:
        self.rollout, self.update = self.rolled_out - self.started, time.perf_counter() - self.rolled_out


def plain_speed(rows: int, epochs: int) -> Callable[[], float]:
    """Returns the same for the plain way: a transformer that reads every prefix anew, and the library's own buffer.

    It does the first epoch only, which takes minutes less, and counts its time `epochs` times.
    """
    model = PPO(
        "MultiInputPolicy",
        make_words_env(rows),
        n_steps=NEW_TOKENS,
        batch_size=BATCH_TEXTS * NEW_TOKENS,
        n_epochs=1,
        gamma=1.0,
        seed=0,
        policy_kwargs={"features_extractor_class": PlainTransformer, "net_arch": []},
    )

    def run() -> float:
        watch = Stopwatch()
        model.learn(rows * NEW_TOKENS, watch, reset_num_timesteps=False)
        return rows * NEW_TOKENS / (watch.rollout + epochs * watch.update)

    return run


def bare_speed(rows: int, epochs: int) -> Callable[[], float]:
    """Returns the same for the model alone: decoding with transformers' cache, then forward and backward passes."""
    lm = _backbone().lm
    argument = cache_argument(lm)
    prompts = torch.randint(VOCABULARY, (rows, PROMPT_TOKENS), generator=torch.Generator().manual_seed(0))

    @torch.no_grad()
    def decode() -> torch.Tensor:
        cache, texts, newest = DynamicCache(), prompts, prompts
        for _ in range(NEW_TOKENS):
            logits = lm(newest, use_cache=True, logits_to_keep=1, **{argument: cache}).logits[:, -1]
            newest = torch.multinomial(logits.softmax(dim=-1), 1)
            texts = torch.cat([texts, newest], dim=1)
        return texts

    def learn(texts: torch.Tensor) -> None:
        hidden = lm.base_model(texts[:, :-1], use_cache=False).last_hidden_state[:, PROMPT_TOKENS - 1 :]
        logits = lm.get_output_embeddings()(hidden).flatten(0, 1)
        cross_entropy(logits, texts[:, PROMPT_TOKENS:].flatten()).backward()
        lm.zero_grad()

    def run() -> float:
        started = time.perf_counter()
        texts = decode()
        for _ in range(epochs):
            for batch in torch.randperm(rows).split(BATCH_TEXTS):
                learn(texts[batch])
        return rows * NEW_TOKENS / (time.perf_counter() - started)

    return run


def _backbone() -> Backbone:
    return Backbone(vocab_size=VOCABULARY, context_length=PROMPT_TOKENS + NEW_TOKENS)


def in_new_process(code: str) -> list[float]:
    """Runs Python code in a process of its own and returns the numbers that it prints."""
    command = [sys.executable, "-c", code]
    return [float(word) for word in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]


# Peak megabytes from Linux' own count; that of the resource module starts at the size of the process that forked.
PEAK_MEGABYTES = "int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) / 1024"
IMPORT = f"""
import time; started = time.perf_counter()
import textgym; seconds = time.perf_counter() - started
print(seconds, {PEAK_MEGABYTES})
"""
TRAIN = f"""
from benchmarks.throughput import EPOCHS, ROWS, ppo_speed
run = ppo_speed(ROWS, EPOCHS); run(); run()
print({PEAK_MEGABYTES})
"""


def interleaved(*variants: Callable[[], float], repeats: int, budget: float = 60.0) -> list[float]:
    """Calls the variants in turn and returns the median of each.

    Args:
        *variants: what to compare.
        repeats: how many times round.
        budget: seconds after which no further round begins, for machines that are slow or busy.
    """
    started = time.perf_counter()
    rounds: list[list[float]] = []
    while not rounds or (len(rounds) < repeats and time.perf_counter() - started < budget):
        rounds.append([variant() for variant in variants])
    return [median(values) for values in zip(*rounds, strict=True)]


def measure(
    *,
    env_id: str = "textgym/Docstring-v0",
    sizes: Sequence[int] = (1, 64, 1024),
    rows: int = ROWS,
    epochs: int = EPOCHS,
    seconds: float = 1.0,
    repeats: int = 5,
    report: Callable[[str], None] = print,
) -> dict[str, float]:
    """Measures everything; about two minutes.

    Args:
        env_id: the environment that is stepped.
        sizes: how many texts at once.
        rows: how many texts the learners write at once; also the size at which the vector env meets Gymnasium's.
        epochs: PPO's.
        seconds: how long an environment is stepped in each repetition.
        repeats: how many repetitions a median is over; the plain learner, which is slow, gets two.
        report: called with a line for each part that is done.

    Returns:
        Tokens per second, ratios, seconds and megabytes by name.
    """
    results: dict[str, float] = {}

    def keep(**numbers: float) -> None:
        results.update(numbers)
        report(", ".join(f"{name} {_shown(number)}" for name, number in numbers.items()))

    for size in sizes:
        (speed,) = interleaved(env_speed(env_id, size, "vector_entry_point", seconds), repeats=repeats)
        keep(**{f"env_steps_per_second_{size}": speed})
    everywhere = env_speed(env_id, max(sizes), "vector_entry_point", seconds, **everything(env_id))
    keep(all_components_steps_per_second=interleaved(everywhere, repeats=repeats)[0])
    modes = [env_speed(env_id, rows, mode, seconds) for mode in ("vector_entry_point", "sync")]
    ours, sync = interleaved(*modes, repeats=repeats)
    keep(vector_over_sync=ours / sync)
    imports = zip(*(in_new_process(IMPORT) for _ in range(repeats)), strict=True)
    import_seconds, import_megabytes = (median(part) for part in imports)
    keep(import_seconds=import_seconds, import_megabytes=import_megabytes)
    keep(ppo_peak_megabytes=in_new_process(TRAIN)[0])
    ppo, bare, plain = ppo_speed(rows, epochs), bare_speed(rows, epochs), plain_speed(rows, epochs)
    interleaved(ppo, bare, repeats=1)  # warms up
    ppo_tokens, bare_tokens = interleaved(ppo, bare, repeats=2 * repeats)
    keep(ppo_tokens_per_second=ppo_tokens, bare_model_share=ppo_tokens / bare_tokens)
    beside, plain_tokens = interleaved(lambda: interleaved(ppo, repeats=repeats, budget=10.0)[0], plain, repeats=2)
    keep(plain_sb3_tokens_per_second=plain_tokens, ppo_speedup_over_plain_sb3=beside / plain_tokens)
    return results


def _shown(number: float) -> str:
    return f"{number:,.3g}" if number < 1000 else f"{number:,.0f}"


def main(
    json_file: Annotated[Path | None, typer.Option("--json", help="where to write the numbers, by name")] = None,
) -> None:
    """Measures environments and learners, prints a table and writes a flat JSON object."""
    console = Console()
    results = measure(report=console.print)
    table = Table("name", "value")
    for name, value in results.items():
        table.add_row(name, _shown(value))
    console.print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
