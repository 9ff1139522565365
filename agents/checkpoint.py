"""Checkpoints: a run that is killed at any moment goes on from its last one, and ends as if nothing had happened.

Stable-Baselines3's own `save` and `load` keep less (neither the environment nor chance), and they use pickle, which
runs whatever code a file holds: never load one from somebody you do not trust. A checkpoint of ours is data only.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from sb3_contrib import TRPO, MaskablePPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from agents.callbacks import check_finite
from agents.state.description import differences
from agents.state.files import read_state, remove_partial, remove_state, write_state
from agents.state.training import HasTrainingState, made_with, numbered, restore, run_of, shapes, state_of

KNOWN = (PPO, A2C, MaskablePPO, TRPO)
"""The algorithms of others that hold nothing but what `agents.state.training` gathers."""

SHARE = 0.05
"""Which share of a run lies between two checkpoints, if nothing else is said."""

_NAME = re.compile(r"step-\d{12,}")


def save_checkpoint(algorithm: BaseAlgorithm, folder: str | Path, callback: BaseCallback | None = None) -> Path:
    """Writes all that a run needs to go on exactly from here, wholly or not at all.

    That is: weights, optimizer, counters and schedules' progress, the environment with its rows' texts and annotators,
    the observation that waits for an answer, what is still to be logged, the states of torch's, numpy's and Python's
    global generators, and what the algorithm and the callbacks keep by themselves.

    Args:
        algorithm: between two rollouts: before or after `learn`, or in a callback's `_on_rollout_start`.
        folder: where the checkpoints of a run go; made if it is not there.
        callback: the callbacks of `learn`. Of those that are not `HasTrainingState`, only how often they were called is
            kept.

    Returns:
        The checkpoint: a folder in `folder`, named by the number of timesteps.

    Raises:
        ValueError: if the algorithm or the environment can't be restored exactly.
        FloatingPointError: if a weight or a logged loss is not finite.
        FileExistsError: if there is a checkpoint of that timestep.
    """
    _check_kind(algorithm)
    check_finite(algorithm)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{algorithm.num_timesteps:012d}"
    write_state(path, state_of(algorithm, callback))
    return path


def load_checkpoint(algorithm: BaseAlgorithm, folder: str | Path, callback: BaseCallback | None = None) -> int:
    """Restores a run, so that it goes on exactly from a checkpoint; with the CPU and as many threads, to the last bit.

    It is refused before anything has changed, unless an algorithm's or a callback's own state refuses.

    Args:
        algorithm: one that was made with the same arguments, on the same environment.
        folder: a checkpoint, or a folder of checkpoints, of which the newest is taken.
        callback: the callbacks, as when the checkpoint was taken; None leaves their state out.

    Returns:
        How many timesteps are left: `algorithm.learn(left, reset_num_timesteps=False)` does them.

    Raises:
        ValueError: if there is no checkpoint, it is damaged, or it belongs to another run: the message names the file
            and all that differs.
    """
    _check_kind(algorithm)
    path = Path(folder) if _NAME.fullmatch(Path(folder).name) else newest_checkpoint(folder)
    if path is None:
        raise ValueError(f"no checkpoint in {folder}")
    state = read_state(path)
    run = run_of(algorithm, callback)
    if callback is None:  # what callbacks changed is left out with their state
        run["arguments"] = {
            name: value for name, value in run["arguments"].items() if name in state["run"]["arguments"]
        }
    wrong = list(differences(state["run"], run))
    if not wrong:  # else the weights may well differ, and that says less
        wrong = list(differences(shapes(state["weights"]), shapes(algorithm.get_parameters())))
    own = isinstance(algorithm, HasTrainingState)
    if own != ("own" in state):
        wrong.append("the algorithm's own state is " + ("missing" if own else "not expected"))
    if callback is not None:
        absent = state["callbacks"].keys() - dict(numbered(callback))
        wrong += [f"the callback {name} is missing" for name in sorted(absent) if "state" in state["callbacks"][name]]
    if wrong:
        raise ValueError(f"{path} is of another run: {'; '.join(wrong)}")
    then, now = state["made_with"], made_with(algorithm)
    if then != now:
        changed = "; ".join(differences(then, now))
        warnings.warn(f"{path}: {changed}: the run goes on, but not to the last bit as before", stacklevel=2)
    restore(algorithm, state, callback)
    left: int = algorithm._total_timesteps - algorithm.num_timesteps
    return max(0, left)


def newest_checkpoint(folder: str | Path) -> Path | None:
    """Returns the newest checkpoint in a folder; None if there is none, or no folder."""
    found = _checkpoints(Path(folder))
    return found[-1] if found else None


def timesteps_of(checkpoint: Path) -> int:
    """Returns after how many timesteps a checkpoint was taken."""
    return int(checkpoint.name.removeprefix("step-"))


class Checkpoints(BaseCallback):
    """Takes checkpoints between updates, for PPO, A2C, MaskablePPO, TRPO and our own algorithms.

        model = PPO(TransformerPolicy, make_vec_env("textgym/Copy-v0", n_envs=32), ..., seed=0)
        model.learn(100_000, callback=Checkpoints("checkpoints", resume=True))

    The same script, started again after a kill, goes on from the newest checkpoint, and ends with the same weights. Let
    it be the first of the callbacks: what those after it do before a rollout is then done anew when a run goes on.

    The first checkpoint is taken before the first rollout, the last after the last update. Weights or logged losses
    that are not finite are never kept. Taking checkpoints changes nothing in the run.

    Args:
        folder: where they go, one folder each; a run needs a folder of its own.
        every: how many updates lie between two, at least 1; by default a twentieth of the run. And more, up to the
            next at which the algorithm writes its log, where that is not at each.
        keep: how many of the newest are kept, at least 1.
        resume: whether to go on from the newest checkpoint, if there is one when learning begins.

    Raises:
        ValueError: if a number is out of its range, the algorithm or the environment can't be restored exactly, or the
            checkpoint is damaged or of another run.
        FileExistsError: when learning begins, if the folder holds another run's checkpoints.
        FloatingPointError: if a weight or a logged loss is not finite.
    """

    def __init__(self, folder: str | Path, *, every: int | None = None, keep: int = 2, resume: bool = False) -> None:
        super().__init__()
        if (every is not None and every < 1) or keep < 1:
            raise ValueError(f"every and keep must be at least 1, got {every} and {keep}")
        self.folder, self.every, self.keep, self.resume = Path(folder), every, keep, resume
        self._own: set[Path] = set()

    def _on_training_start(self) -> None:
        _check_kind(self.model)
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_partial(self.folder)
        newest = newest_checkpoint(self.folder)
        if newest is not None and newest not in self._own and self.resume:
            self._go_on(newest)
        elif newest is not None and (newest not in self._own or timesteps_of(newest) > self.model.num_timesteps):
            raise FileExistsError(
                f"{self.folder} holds the checkpoints of another run: give each run a folder of its own, or go on from "
                "them with resume=True"
            )
        self._rollouts = self._since = 0
        self._taken = self.model.num_timesteps
        self._writing = False

    def _go_on(self, checkpoint: Path) -> None:
        asked = self.locals["total_timesteps"]
        load_checkpoint(self.model, checkpoint, self._root)
        if self.model._total_timesteps != asked:
            raise ValueError(
                f"{checkpoint} is of a run of {self.model._total_timesteps} timesteps in all, and {asked} are asked "
                "for: ask for as many, or use load_checkpoint and learn(..., reset_num_timesteps=False)"
            )
        self._own.add(checkpoint)

    @property
    def _root(self) -> BaseCallback:
        """All callbacks of `learn`, this one among them."""
        root: BaseCallback = self.locals["callback"]
        return root

    def _on_rollout_start(self) -> None:
        check_finite(self.model)  # so that not a token is drawn from broken weights
        logged = self._rollouts % (self.locals.get("log_interval") or 1) == 0
        if not self._own or (self._due and logged):
            self._save()
        self._writing = True

    @property
    def _due(self) -> bool:
        """Whether the last checkpoint is old enough for another."""
        if self.every is not None:
            return self._since >= self.every
        return bool(self.model.num_timesteps - self._taken >= SHARE * self.locals["total_timesteps"])

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._writing = False
        self._rollouts += 1
        self._since += 1

    def _on_training_end(self) -> None:
        if not self._writing:  # else a callback has broken off a rollout, and there is nothing exact to keep
            self._save()

    def _save(self) -> None:
        """Takes a checkpoint, unless there is one of this timestep, and removes those that are too many."""
        self._since, self._taken = 0, self.model.num_timesteps
        newest = newest_checkpoint(self.folder)
        if newest is not None and timesteps_of(newest) == self.model.num_timesteps:
            return
        self._own.add(save_checkpoint(self.model, self.folder, self._root))
        for old in _checkpoints(self.folder)[: -self.keep]:
            remove_state(old)


def _checkpoints(folder: Path) -> list[Path]:
    """Returns the checkpoints in a folder, the oldest first."""
    found = folder.glob("step-*") if folder.exists() else ()
    return sorted(path for path in found if _NAME.fullmatch(path.name))


def _check_kind(algorithm: BaseAlgorithm) -> None:
    if not isinstance(algorithm, (*KNOWN, HasTrainingState)):
        known = ", ".join(kind.__name__ for kind in KNOWN)
        raise ValueError(
            f"checkpoints are for {known} and for what has training_state() and set_training_state(), "
            f"got {type(algorithm).__name__}"
        )
    environment = algorithm.get_env()
    if not hasattr(type(environment), "get_state"):  # of the class: wrappers hand on what they lack to what they wrap
        raise ValueError(
            f"{type(environment).__name__} has no get_state() and so can't be restored: make the environment with "
            "agents.vec_env.make_vec_env, and without wrappers"
        )
