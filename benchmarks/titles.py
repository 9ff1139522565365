"""The learners' names on the command line and in print, without loading a learner."""

from __future__ import annotations

TITLES = {
    "ppo": "PPO",
    "maskable_ppo": "MaskablePPO",
    "a2c": "A2C",
    "trpo": "TRPO",
    "reinforce": "REINFORCE",
    "rloo": "RLOO",
    "grpo": "GRPO",
    "self_training": "Self-training",
    "weighted_likelihood": "Weighted likelihood",
    "dpo": "DPO",
    "contrastive": "Contrastive",
    "cloning": "Cloning",
    "ngram_ppo": "PPO, n-grams",
}
