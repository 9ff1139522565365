"""RewardModel: an ensemble of language models with scalar heads that learns from ratings, pairs and rankings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from agents.backbone import Backbone, ModelSource
from agents.reward.evaluation import Foresight, Prediction, foresee
from agents.reward.judgements import Judgements, Row
from agents.reward.network import RewardNetwork
from agents.reward.objective import Objective, prepared
from agents.reward.storage import load, save
from agents.reward.training import Learnt, Schedule, train_member, utilities_of
from agents.text_reader import Rows, TextReader, Tokens
from textgym.dataset.feedback_dataset import FeedbackDataset
from textgym.tasks.base import Task
from textgym.types import FloatArray


@dataclass(frozen=True)
class RewardFit:
    """How a reward model learnt.

    Attributes:
        members: how each member did.
        held_out: how well the model foresees the answers about held-out prompts, which also told it when to stop.
        train_answers, held_out_answers: how many there were.
        ties: how many more answers prefer neither text, and were left out.
    """

    members: tuple[Learnt, ...]
    held_out: Foresight
    train_answers: int
    held_out_answers: int
    ties: int


class RewardModel:
    """Learns from people's answers what they would say of other texts.

    Each member is a `Backbone` with a head on the last token of prompt and text. The members of an ensemble have heads,
    orders and, with `bootstrap`, samples of the answers of their own; what they disagree on is what the answers did not
    settle (Lakshminarayanan, Pritzel and Blundell 2017; Coste et al. 2024, "Reward model ensembles help mitigate
    overoptimization").

    Args:
        task: the task whose texts are judged, such as `env.get_wrapper_attr("simulator").task`.
        model: where each member comes from, see `Backbone`: a policy's folder, say. With a hub name, or a folder with a
            tokenizer, texts are read in the model's own tokens; see `TextReader`.
        members: how many.
        bootstrap: whether each member learns from answers drawn with replacement, as many as there are.
        objective: the losses.
        separator: what stands between prompt and text for a model with its own tokenizer.
        device: where the model computes, such as `"cpu"` or `"cuda"`.

    Raises:
        ValueError: if a number is out of its range, or the model does not fit.
    """

    def __init__(
        self,
        task: Task,
        model: ModelSource = None,
        *,
        members: int = 1,
        bootstrap: bool = False,
        objective: Objective = Objective(),  # noqa: B008 - it never changes
        separator: str = "\n",
        device: str = "cpu",
    ) -> None:
        if members < 1:
            raise ValueError(f"members must be at least 1, got {members}")
        self.task, self.model, self.device = task, model, device
        self.members, self.bootstrap, self.objective = members, bootstrap, objective
        self.reader = TextReader(task, model if isinstance(model, str | Path) else None, separator)
        self.networks: list[RewardNetwork] = []
        self.means, self.deviations = np.zeros(0), np.zeros(0)  # (members,) of the utilities of the training texts
        self.annotator_names: tuple[str, ...] = ()

    def fit(
        self,
        data: FeedbackDataset | Sequence[Row],
        *,
        generator: np.random.Generator,
        signal: str | None = None,
        validation_share: float = 0.2,
        schedule: Schedule = Schedule(),  # noqa: B008 - it never changes
        progress: bool = False,
    ) -> RewardFit:
        """Learns anew from answers; those about a share of the prompts are held out, and say when to stop.

        Args:
            data: a data set, or rows; see `Judgements.of`.
            generator: the source of the split, the fresh weights, the samples and the order.
            signal: which signal of a data set; by default all about whole texts.
            validation_share: the share of the prompts that is held out, in (0, 1).
            schedule: how long and how fast.
            progress: whether to show a progress bar.

        Raises:
            ValueError: if the answers don't suit the losses, or are about fewer than two prompts.
            FloatingPointError: if a loss is not finite.
        """
        answers, levels = prepared(Judgements.of(data, signal), self.objective)
        train, held_out = answers.split(validation_share, generator)
        self.annotator_names, self.networks = answers.annotator_names, []
        texts = self.reader.read(answers.prompts, answers.completions)
        seen = np.unique(train.texts[train.texts >= 0])
        learnt, utilities = [], []
        batches = self.members * schedule.max_epochs * -(-len(train) // schedule.batch_size)
        with tqdm(total=batches, desc="reward model", unit="batch", disable=not progress) as bar:
            for _ in range(self.members):
                network = self._fresh_network(levels, seed=int(generator.integers(2**63)))
                rows, count = Rows.of(texts, network.backbone), len(train)
                sample = generator.integers(count, size=count) if self.bootstrap else np.arange(count)
                part = train.part(sample)
                learnt.append(
                    train_member(network, rows, part, held_out, schedule=schedule, generator=generator, tell=bar.update)
                )
                self.networks.append(network)
                utilities.append(utilities_of(network, rows))
        of_training = np.array(utilities)[:, seen]
        self.means, self.deviations = of_training.mean(axis=1), np.maximum(of_training.std(axis=1), 1e-8)
        foresight = self._foresight(held_out, np.array(utilities))
        return RewardFit(tuple(learnt), foresight, len(train), len(held_out), answers.ties)

    def predict(self, prompts: Sequence[str], completions: Sequence[str | Sequence[int]]) -> Prediction:
        """Returns what the model says of n texts, whoever would judge them; see `TextReader.read`."""
        return self.judge(self.reader.read(prompts, completions))

    def judge(self, texts: list[Tokens]) -> Prediction:
        """Returns what the model says of n texts as its reader reads them.

        Texts share forward passes in float32, so a result may vary with the other texts in its last digits.
        """
        standard = (self.utilities(texts) - self.means[:, None]) / self.deviations[:, None]
        return Prediction(standard.mean(axis=0), standard.std(axis=0))

    def evaluate(self, data: FeedbackDataset | Sequence[Row], signal: str | None = None) -> Foresight:
        """Returns how well the model foresees other answers; see `Judgements.of`."""
        answers = Judgements.of(data, signal)
        return self._foresight(answers, self.utilities(self.reader.read(answers.prompts, answers.completions)))

    def save(self, folder: str | Path) -> None:
        """Writes the model to a folder: weights as safetensors, settings as JSON; `load` reads it again."""
        save(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path, task: Task, device: str = "cpu") -> RewardModel:
        """Reads what `save` wrote, to judge texts of a task.

        Raises:
            ValueError: if a file is missing or damaged, or the task has other tokens than the model was taught with.
        """
        return load(cls, Path(folder), task, device)

    @property
    def flip_rate(self) -> float:
        """The share of turned labels, as given or as learnt; the mean over the members."""
        return float(np.mean([float(network.flip_rate.detach()) for network in self.networks]))

    @property
    def annotators(self) -> dict[str, tuple[float, float]]:
        """The bias and the log-scale of each annotator, by name; the means over the members."""
        learnt = [torch.stack((network.biases, network.log_scales), dim=1).detach() for network in self.networks]
        means: list[list[float]] = torch.stack(learnt).mean(dim=0).tolist()
        return {name: (bias, scale) for name, (bias, scale) in zip(self.annotator_names, means, strict=True)}

    def utilities(self, texts: list[Tokens]) -> FloatArray:
        """Returns the utilities of n texts as the reader reads them, (members, n); a difference is a logit."""
        if not self.networks:
            raise ValueError("the reward model has learnt nothing yet: call fit, or load one")
        return np.array([utilities_of(network, Rows.of(texts, network.backbone)) for network in self.networks])

    def _foresight(self, answers: Judgements, utilities: FloatArray) -> Foresight:
        scores = ((utilities - self.means[:, None]) / self.deviations[:, None]).mean(axis=0)
        flip_rates = np.array([float(network.flip_rate.detach()) for network in self.networks])
        conservative = self.objective.comparisons == "conservative"
        return foresee(answers, scores, utilities, flip_rates, conservative=conservative)

    def _fresh_network(self, levels: int, seed: int) -> RewardNetwork:
        longest = self.reader.context_length + (0 if isinstance(self.model, str | Path) else 1)  # the end token's place
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            backbone = Backbone(self.model, vocab_size=self.reader.vocab_size, context_length=longest)
            annotators = len(self.annotator_names)
            network = RewardNetwork(backbone, self.objective, levels=levels, annotators=annotators)
        return network.to(self.device)
