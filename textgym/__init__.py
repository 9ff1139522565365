"""TextGym: Gymnasium environments whose states are text, whose actions are tokens and whose reward is feedback."""

import importlib as _importlib
from typing import TYPE_CHECKING

import gymnasium as _gymnasium

from textgym.random import row_seeds
from textgym.registration import ENVIRONMENTS, components, env_ids, register_component, register_env

if TYPE_CHECKING:
    from textgym.dataset.collecting import collect
    from textgym.dataset.feedback_dataset import FeedbackDataset, load
    from textgym.dataset.quality import feedback_quality
    from textgym.scoring import score
    from textgym.trl import reward_function

__all__ = [
    "FeedbackDataset",
    "collect",
    "components",
    "env_ids",
    "feedback_quality",
    "load",
    "register_component",
    "register_env",
    "reward_function",
    "row_seeds",
    "score",
]
__version__ = "0.1.0"

_LAZY = {  # what is imported when it is first used
    "FeedbackDataset": "textgym.dataset.feedback_dataset",
    "collect": "textgym.dataset.collecting",
    "feedback_quality": "textgym.dataset.quality",
    "load": "textgym.dataset.feedback_dataset",
    "reward_function": "textgym.trl",
    "score": "textgym.scoring",
}

for _env_id, _arguments in ENVIRONMENTS.items():
    if _env_id not in _gymnasium.registry:
        register_env(_env_id, **_arguments)


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(_importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'textgym' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_LAZY]
