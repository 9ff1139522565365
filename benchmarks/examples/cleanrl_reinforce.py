"""REINFORCE in one file, after CleanRL: plain PyTorch on our vector environment, and no learner of ours.

A small transformer learns the references by maximum likelihood: the warm start. Then it writes texts and raises the
probability of those that are paid more than the others on the same prompt:
`python -m benchmarks.examples.cleanrl_reinforce --env-id textgym/Translate-v0`.
"""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
import typer
from torch import nn

import textgym  # noqa: F401 - registers the environments


class Texts(NamedTuple):
    """n texts, and what they earned where they were written.

    Attributes:
        tokens: (n, L) prompt and text, padded.
        starts: (n,) where the text begins.
        ends: (n,) where it ends.
        paid: (n,) the sum of its rewards: the noisy feedback.
        gold: (n,) what it is truly worth.
    """

    tokens: torch.Tensor
    starts: torch.Tensor
    ends: torch.Tensor
    paid: torch.Tensor
    gold: torch.Tensor


class Transformer(nn.Module):
    """A causal transformer that has all its positions."""

    def __init__(self, num_tokens: int, length: int, width: int = 96, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(num_tokens, width), nn.Embedding(length, width)
        block = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, num_tokens)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Returns the logits of the next token, (n, T, V), after each of (n, T) tokens."""
        length = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        hidden = self.tokens(tokens) + self.positions(torch.arange(length))
        logits: torch.Tensor = self.head(self.blocks(hidden, mask=mask, is_causal=True))
        return logits


def log_probs(model: Transformer, texts: Texts) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the log-probability of each token after its prefix, (n, L - 1), and which are of the text, (n, L - 1)."""
    place = torch.arange(1, texts.tokens.shape[1])
    written = (place >= texts.starts[:, None]) & (place < texts.ends[:, None])
    chosen = model(texts.tokens[:, :-1]).log_softmax(-1).gather(2, texts.tokens[:, 1:, None]).squeeze(2)
    return chosen * written, written


def references(task: Any, length: int) -> Texts:
    """Returns the train split's prompts with their references, of at most `length` tokens."""
    prompts, end = task.prompt_set("train"), task.vocabulary.end_id
    n = len(prompts)
    tokens, starts, ends = np.zeros((n, length), np.int64), prompts.prompt_lengths.astype(np.int64), np.zeros(n, int)
    for i in range(n):
        reference = prompts.reference_ids[i, : prompts.reference_lengths[i]]
        text = [*prompts.prompt_ids[i, : starts[i]], *reference, end][:length]
        tokens[i, : len(text)], ends[i] = text, len(text)
    nothing = torch.zeros(n)
    return Texts(torch.from_numpy(tokens), torch.from_numpy(starts), torch.from_numpy(ends), nothing, nothing)


@torch.no_grad()
def write(model: Transformer, envs: Any, samples: np.ndarray[Any, Any]) -> Texts:
    """Writes a text for each row, for the prompts that `samples` (n,) says."""
    observation, _ = envs.reset(options={"sample": samples})
    starts = observation["attention_mask"].sum(1).astype(np.int64)
    n, budget = len(samples), envs.unwrapped.simulator.max_new_tokens
    tokens, ends = np.zeros_like(observation["input_ids"]), np.zeros(n, np.int64)
    paid, gold, alive = np.zeros(n), np.zeros(n), np.ones(n, bool)
    for _ in range(budget):
        lengths = torch.from_numpy(observation["attention_mask"].sum(1).astype(np.int64))
        ids = torch.from_numpy(observation["input_ids"][:, : int(lengths.max())])
        logits = model(ids)[torch.arange(n), lengths - 1]
        actions = torch.distributions.Categorical(logits=logits).sample().numpy()
        observation, rewards, terminated, _, info = envs.step(actions)
        paid += rewards * alive
        ended = terminated & alive  # what a row writes after its first text is not used
        if ended.any():
            tokens[ended] = observation["input_ids"][ended]
            ends[ended] = observation["attention_mask"][ended].sum(1)
            gold[ended] = info["gold_return"][ended]
        alive &= ~terminated
        if not alive.any():
            break
    parts = (tokens, starts, ends, paid.astype(np.float32), gold.astype(np.float32))
    return Texts(*(torch.from_numpy(part) for part in parts))


def main(
    env_id: str = "textgym/Translate-v0",
    seed: int = 0,
    warm_epochs: int = 4,
    warm_learning_rate: float = 1e-3,
    iterations: int = 60,
    learning_rate: float = 2e-3,
    prompts: int = 64,
    group: int = 4,
    test_texts: int = 512,
) -> tuple[float, float]:
    """Prints, and returns, the mean gold return on test prompts after the warm start, and after REINFORCE."""
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    kind: Any = {"vectorization_mode": "vector_entry_point"}
    envs = gymnasium.make_vec(env_id, num_envs=prompts * group, **kind)
    task = envs.unwrapped.simulator.task  # type: ignore[attr-defined]
    test_texts = min(test_texts, len(task.prompt_set("test")))
    tests = gymnasium.make_vec(env_id, num_envs=test_texts, split="test", **kind)
    length = envs.single_observation_space["input_ids"].shape[0]  # type: ignore[index]
    model = Transformer(int(envs.single_action_space.n), length)  # type: ignore[attr-defined]

    def judge() -> float:
        tests.reset(seed=seed)
        return float(write(model, tests, np.arange(test_texts)).gold.mean())

    # warm start: -log pi(reference | prompt), each token alike
    known = references(task, length)
    optimizer = torch.optim.Adam(model.parameters(), lr=warm_learning_rate)
    for _ in range(warm_epochs):
        for batch in np.array_split(generator.permutation(len(known.tokens)), math.ceil(len(known.tokens) / 64)):
            log_prob, written = log_probs(model, Texts(*(part[batch] for part in known)))
            loss = -log_prob.sum() / written.sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    warm = judge()
    print(f"warm start: gold {warm:.3f}")

    # REINFORCE: -log pi(text | prompt) (R - mean R of the others on the prompt), Kool et al. 2019
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    envs.reset(seed=seed)
    began, tokens = time.monotonic(), 0
    for iteration in range(iterations):
        optimizer.param_groups[0]["lr"] = learning_rate * (1 - iteration / iterations)
        samples = generator.choice(len(known.tokens), size=prompts, replace=False).repeat(group)
        texts = write(model, envs, samples)
        paid = texts.paid.view(prompts, group)
        others = (paid.sum(1, keepdim=True) - paid) / (group - 1)
        advantage = (paid - others).flatten()  # (n,)
        advantage = advantage / (advantage.std() + 1e-6)
        log_prob, written = log_probs(model, texts)
        loss = -(log_prob.sum(1) * advantage).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        tokens += int(written.sum())
        if iteration % 20 == 0:
            speed = tokens / (time.monotonic() - began)
            print(f"{tokens:7,} tokens: paid {paid.mean():.3f}, gold {texts.gold.mean():.3f}, {speed:,.0f} tokens/s")
    final = judge()
    print(f"REINFORCE: gold {final:.3f}")
    return warm, final


if __name__ == "__main__":
    typer.run(main)
