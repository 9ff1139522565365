"""A reward model on disk: a folder for each member's weights, as safetensors, and one JSON file of settings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.torch import load_file, save_file

from agents.backbone import Backbone
from agents.reward.network import RewardNetwork
from agents.reward.objective import Objective
from textgym.tasks.base import Task

if TYPE_CHECKING:
    from agents.reward.model import RewardModel

SETTINGS, HEAD = "reward_model.json", "head.safetensors"


def save(model: RewardModel, folder: Path) -> None:
    """Writes a model that has learnt; the settings come last, so that a folder which has them is whole.

    Raises:
        ValueError: if the model has learnt nothing yet.
    """
    if not model.networks:
        raise ValueError("the reward model has learnt nothing yet, so there is nothing to save: call fit")
    (folder / SETTINGS).unlink(missing_ok=True)
    for number, network in enumerate(model.networks):
        path = folder / f"member-{number}"
        network.backbone.save_pretrained(path)
        if model.reader.tokenizer is not None:
            model.reader.tokenizer.save_pretrained(path)
        head = {name: part for name, part in network.state_dict().items() if not name.startswith("backbone.")}
        save_file(head, path / HEAD)
    settings = {
        "members": len(model.networks),
        "bootstrap": model.bootstrap,
        "objective": asdict(model.objective),
        "separator": model.reader.separator,
        "levels": len(model.networks[0].raw_cuts) + 1,
        "annotator_names": model.annotator_names,
        "means": model.means.tolist(),
        "deviations": model.deviations.tolist(),
        "vocabulary": None if model.reader.tokenizer else vocabulary_hash(model.task),
    }
    (folder / SETTINGS).write_text(json.dumps(settings, indent=1), encoding="utf-8")


def load(kind: type[RewardModel], folder: Path, task: Task, device: str) -> RewardModel:
    """Returns the model in a folder, to judge texts of a task; see `RewardModel.load`."""
    if not (folder / SETTINGS).is_file():
        raise ValueError(
            f"{str(folder)!r} holds no reward model: there is no {SETTINGS}, as RewardModel.save writes it"
        )
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        found, own = settings["vocabulary"], vocabulary_hash(task)
        if found not in (None, own):
            raise ValueError(
                f"it was taught with other tokens than {type(task).__name__}'s (vocabularies {found} and {own}): "
                "teach one on this task's texts"
            )
        return _loaded(kind, folder, settings, task, device)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:  # RuntimeError: other shapes
        raise ValueError(f"the reward model in {str(folder)!r} can't be used: {_told(error)}") from error
    except Exception as error:
        if type(error).__module__.startswith("safetensors"):  # its own error for damaged weights
            raise ValueError(f"the reward model in {str(folder)!r} can't be used: damaged weights: {error}") from error
        raise


def _loaded(kind: type[RewardModel], folder: Path, settings: dict[str, Any], task: Task, device: str) -> RewardModel:
    paths = [folder / f"member-{number}" for number in range(settings["members"])]
    model = kind(
        task,
        paths[0],
        members=settings["members"],
        bootstrap=settings["bootstrap"],
        objective=Objective(**settings["objective"]),
        separator=settings["separator"],
        device=device,
    )
    model.annotator_names = tuple(settings["annotator_names"])
    model.means, model.deviations = (np.array(settings[name], np.float64) for name in ("means", "deviations"))
    if not len(model.means) == len(model.deviations) == len(paths):
        raise ValueError(f"{SETTINGS} has {len(model.means)} means for {len(paths)} members")
    reader, sizes = model.reader, {"levels": settings["levels"], "annotators": len(model.annotator_names)}
    for path in paths:
        backbone = Backbone(path, vocab_size=reader.vocab_size, context_length=reader.context_length)
        network = RewardNetwork(backbone, model.objective, **sizes)
        head = load_file(path / HEAD)
        known = {name for name in network.state_dict() if not name.startswith("backbone.")}
        if head.keys() != known:
            raise ValueError(f"{path / HEAD} holds {', '.join(sorted(head))}, not {', '.join(sorted(known))}")
        network.load_state_dict(head, strict=False)
        model.networks.append(network.to(device))
    return model


def vocabulary_hash(task: Task) -> str:
    """Returns the hash of a task's tokens, 16 hexadecimal digits: where it is the same, token ids mean the same."""
    return hashlib.blake2b("\0".join(task.vocabulary.tokens).encode(), digest_size=8).hexdigest()


def _told(error: Exception) -> str:
    return f"{SETTINGS} lacks {error}" if isinstance(error, KeyError) else str(error)
