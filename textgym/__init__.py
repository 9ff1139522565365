"""TextGym: Gymnasium environments whose states are text, whose actions are tokens and whose reward is feedback."""

import gymnasium as _gymnasium

from textgym.random import row_seeds
from textgym.registration import ENVIRONMENTS, components, env_ids, register_component, register_env

__all__ = ["components", "env_ids", "register_component", "register_env", "row_seeds"]
__version__ = "0.1.0"

for _env_id, _arguments in ENVIRONMENTS.items():
    if _env_id not in _gymnasium.registry:
        register_env(_env_id, **_arguments)
