"""CausalLm gives the log-probabilities of the model's plain forward pass, with the task's tokens or its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, GPT2Config, PreTrainedTokenizerFast

import textgym
from agents.backbone import Backbone
from agents.causal_lm import CausalLm
from tests.textgym.test_metrics import Echo, finished
from textgym.registration import build

TEXTS = [[3, 4, 5, 6], [], [7], [5, 5, 3, 8, 9, 4], [6, 4]]
SCORER = "causal_lm"


@pytest.fixture
def task() -> Echo:
    return Echo(TEXTS)


def save(folder: Path, vocab_size: int, positions: int = 64) -> Path:
    torch.manual_seed(0)
    config = GPT2Config(n_layer=1, n_embd=16, n_head=2, vocab_size=vocab_size, n_positions=positions)
    config.initializer_range = 0.5  # far from uniform
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def save_tokenizer(folder: Path, words: list[str], **special: str) -> Path:
    known = {word: number for number, word in enumerate([*words, *special.values()])}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token=words[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return folder


def plain(folder: Path, prompt: list[int], scored: list[int], vocab_size: int) -> float:
    """The mean log-probability of tokens after a prompt, one text at a time, over the first `vocab_size` tokens."""
    ids = torch.tensor([prompt + scored])
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(folder)(ids).logits[0, :-1, :vocab_size].double()
    log_probabilities = logits.log_softmax(dim=-1).gather(1, ids[0, 1:, None])[:, 0]
    return float(log_probabilities[len(prompt) - 1 :].mean())


def test_a_model_of_the_tasks_tokens_is_read_as_it_is(tmp_path: Path, task: Echo) -> None:
    folder = save(tmp_path, vocab_size=16)  # four tokens more than the task has
    seen = finished(task, TEXTS)
    expected = [plain(folder, [3, 1], [*text, 2], len(task.vocabulary)) for text in TEXTS]
    np.testing.assert_allclose(CausalLm(task, str(folder)).mean_log_probability(seen), expected, rtol=0, atol=1e-5)


def test_a_model_with_a_tokenizer_reads_what_is_spelled(tmp_path: Path, task: Echo) -> None:
    words = ["<unk>", "returns", "the", "of", "a", "list", "name", "->"]
    save_tokenizer(save(tmp_path, vocab_size=12), words, bos_token="<s>", eos_token="</s>")
    own = {task.vocabulary.tokens.index(word): number for number, word in enumerate(words[1:-1], start=1)}
    expected = [plain(tmp_path, [8, 4, 7], [*(own.get(token, 0) for token in text), 9], 10) for text in TEXTS]
    scorer = CausalLm(task, str(tmp_path), separator=" ->")
    np.testing.assert_allclose(scorer.mean_log_probability(finished(task, TEXTS)), expected, rtol=0, atol=1e-5)


def test_without_a_start_token_the_end_token_opens_the_prompt(tmp_path: Path, task: Echo) -> None:
    save_tokenizer(save(tmp_path, vocab_size=4), ["<unk>", "a"], eos_token="</s>")
    expected = plain(tmp_path, [2, 1], [1, 0, 2], 3)
    score = CausalLm(task, str(tmp_path)).mean_log_probability(finished(task, [[3, 4]]))
    np.testing.assert_allclose(score, expected, rtol=0, atol=1e-5)


def test_what_exceeds_the_context_is_cut_from_the_front(tmp_path: Path, task: Echo) -> None:
    save_tokenizer(save(tmp_path, vocab_size=4, positions=5), ["<unk>", "a"], bos_token="<s>", eos_token="</s>")
    texts = [[3, 4, 3], [3, 3, 4, 3, 4, 3]]
    expected = [plain(tmp_path, [1], [1, 0, 1, 3], 4), plain(tmp_path, [0], [1, 0, 1, 3], 4)]
    score = CausalLm(task, str(tmp_path)).mean_log_probability(finished(task, texts))
    np.testing.assert_allclose(score, expected, rtol=0, atol=1e-5)


def test_many_texts_are_scored_as_each_alone(tmp_path: Path, task: Echo) -> None:
    scorer = CausalLm(task, str(save(tmp_path, vocab_size=12)))
    seen = finished(task, TEXTS * 20, samples=np.zeros(100, np.int64))
    alone = [scorer.mean_log_probability(seen[np.array([row])])[0] for row in range(5)]
    np.testing.assert_allclose(scorer.mean_log_probability(seen), alone * 20, rtol=0, atol=1e-5)


def test_perplexity_under_a_uniform_model_is_the_number_of_tokens(tmp_path: Path, task: Echo) -> None:
    backbone = Backbone(
        {"model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 1}, vocab_size=12, context_length=42
    )
    torch.nn.init.zeros_(backbone.lm.get_output_embeddings().weight)
    backbone.save_pretrained(tmp_path)
    spec = {"name": "perplexity", "scorer": {"name": SCORER, "path": str(tmp_path)}}
    metric = build("metrics", json.loads(json.dumps(spec)), task)
    np.testing.assert_allclose(metric.score(finished(task, TEXTS)), 1 / 12, rtol=1e-6)


def test_it_is_found_by_its_entry_point() -> None:
    assert SCORER in textgym.components("scorers")


def test_models_that_do_not_fit_are_refused(tmp_path: Path, task: Echo) -> None:
    with pytest.raises(ValueError, match=r"path must be a folder with a model and its config\.json, got '.*nowhere'"):
        CausalLm(task, str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="has 11 tokens and 64 positions, but the environment needs 12 and 42"):
        CausalLm(task, str(save(tmp_path, vocab_size=11)))
    with pytest.raises(ValueError, match="has no end-of-sequence token"):
        CausalLm(task, str(save_tokenizer(tmp_path, ["<unk>", "a"])))
