"""Reward models: what people say of texts, learnt; `model` has `RewardModel`, `metric` the metric that reads one."""
