"""PPO of RLlib with our transformer, in an environment of its own: see `rllib-requirements.txt` beside it.

Two environment runners write texts in our vector environment, whose rows start their next text in the step after the
last (NEXT_STEP), as RLlib expects. Every return that RLlib adds up is compared with the one that the environment
reports.
"""

from __future__ import annotations

from typing import Any

import ray
import torch
import typer
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import ValueFunctionAPI
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch import TorchRLModule

from agents.backbone import Backbone


class TextModule(TorchRLModule, ValueFunctionAPI):  # type: ignore[misc]
    """A language model as actor and critic; `model_config["model"]` says which, as for `Backbone`."""

    def setup(self) -> None:
        self.backbone = Backbone(
            self.model_config.get("model"),
            vocab_size=int(self.action_space.n),
            context_length=self.observation_space["input_ids"].shape[0],
        )

    def hidden(self, batch: dict[str, Any]) -> torch.Tensor:
        """Returns the hidden states at the ends of n texts, (n, D)."""
        ids, mask = (batch[Columns.OBS][name].long() for name in ("input_ids", "attention_mask"))
        lengths = mask.sum(-1)
        hidden = self.backbone.hidden(ids[:, : int(lengths.amax())])
        return hidden[torch.arange(len(ids), device=ids.device), lengths - 1]

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {Columns.ACTION_DIST_INPUTS: self.backbone.logits(self.hidden(batch))}

    def _forward_train(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        hidden = self.hidden(batch)
        return {Columns.ACTION_DIST_INPUTS: self.backbone.logits(hidden), Columns.EMBEDDINGS: hidden}

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> torch.Tensor:
        """Returns the values of n texts, (n,)."""
        return self.backbone.values(self.hidden(batch) if embeddings is None else embeddings)


def compare_returns(*, episode: Any, metrics_logger: Any, **_: Any) -> None:
    """Logs how far the return that RLlib adds up is from the one that the environment reports."""
    info = episode.get_infos(-1)
    metrics_logger.log_value("return_error", abs(episode.get_return() - info["observed_return"]), reduce="max")
    metrics_logger.log_value("gold_return", float(info["gold_return"]), window=500)


def main(env_id: str = "textgym/Copy-v0", iterations: int = 3) -> None:
    """Trains for some iterations and prints what texts earned.

    Raises:
        RuntimeError: if a return of RLlib's is not the environment's.
    """
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    config = (
        PPOConfig()
        .environment(f"textgym:{env_id}")  # Gymnasium's form: the module that registers it comes first
        .env_runners(
            num_env_runners=2,
            num_envs_per_env_runner=32,
            gym_env_vectorize_mode="vector_entry_point",
            batch_mode="complete_episodes",
        )
        .callbacks(on_episode_end=compare_returns)
        .rl_module(rl_module_spec=RLModuleSpec(module_class=TextModule, model_config={"model": None}))
        .training(gamma=1.0, lr=1e-3, train_batch_size_per_learner=2048, minibatch_size=512, num_epochs=4)
        .debugging(seed=0)
    )
    algorithm = config.build_algo()
    for iteration in range(1, iterations + 1):
        found = algorithm.train()["env_runners"]
        error = float(found["return_error"])
        print(
            f"iteration {iteration}: {int(found['num_episodes'])} texts, return {found['episode_return_mean']:.3f}, "
            f"gold {found['gold_return']:.3f}, returns differ by {error:.1g} at most"
        )
        if not error < 1e-6:
            raise RuntimeError(f"RLlib's returns are not the environment's: they differ by {error}")
    algorithm.stop()
    ray.shutdown()


if __name__ == "__main__":
    typer.run(main)
