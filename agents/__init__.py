"""Learners for text environments, on PyTorch, transformers and Stable-Baselines3.

Import from the modules, each of which holds one idea:

- `agents.policy`: `TransformerPolicy`, `MaskableTransformerPolicy`
- `agents.rollout_buffer`: `SequenceRolloutBuffer`, `MaskableSequenceRolloutBuffer`
- `agents.backbone`: `Backbone`, the language model with a value head
- `agents.kv_cache`: `SlotCache`, incremental decoding
- `agents.vec_env`: `make_vec_env`, `GymnasiumVecEnv`
- `agents.reinforce`: `REINFORCE`
- `agents.self_training`: `SelfTraining`
- `agents.text_algorithm`: `TextAlgorithm`, the base of both
- `agents.supervised`: `warm_start`
- `agents.cloning`: `Cloning`, of demonstrations, corrected texts, references or plain texts
- `agents.reviser`: `Reviser`, which makes a better text out of a draft
- `agents.preference`: `DPO`
- `agents.contrastive`: `Contrastive`
- `agents.reward.model`: `RewardModel`; `agents.reward.metric`: the metric that reads one
- `agents.best_of_n`: `BestOfN`; `agents.reference`, `agents.ngram_policy`: what else learners are compared with
- `agents.checkpoint`: `Checkpoints`, from which a killed run goes on exactly
- `agents.rounds`: `learn_in_rounds`, from a policy's own texts, again and again
- `agents.callbacks`: callbacks that log clean, observed and gold returns

What learners have in common lies in `agents.losses` (baselines, divergences, importance), `agents.data` (texts to learn
from) and `agents.state` (the files of a checkpoint).
"""
