"""Laws of checkpoints: a run that was stopped ends like one that was not, and nothing else is taken for its own."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sb3_contrib import TRPO, MaskablePPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecMonitor

from agents.callbacks import ReturnsCallback, StopOnNonFinite
from agents.checkpoint import Checkpoints, load_checkpoint, newest_checkpoint, save_checkpoint, timesteps_of
from agents.exploration import Exploration
from agents.policy import MaskableTransformerPolicy, TransformerPolicy
from agents.reinforce import REINFORCE
from agents.rollout_buffer import MaskableSequenceRolloutBuffer, SequenceRolloutBuffer
from agents.self_training import SelfTraining
from agents.state.files import PARTIAL, read_state
from agents.text_algorithm import TextAlgorithm
from agents.vec_env import make_vec_env
from tests.laws import assert_same

SMALL = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
         "resid_pdrop": 0.0}  # fmt: skip
FEEDBACK = [
    {"name": "rating", "metric": "token_match", "readings": 2, "pool": {"size": 3, "bias": 0.2}},
    {"name": "demonstration", "weight": 0.0},
]
NOISE = [{"name": "drift", "tau": 0.1}, {"name": "delay", "steps": 1}]
COPY: dict[str, Any] = {"length": 3, "letters": 4, "size": 30, "feedback": FEEDBACK, "noise": NOISE}
ROWS, STEPS, ROLLOUTS = 4, 5, 7
TOTAL = ROWS * STEPS * ROLLOUTS

SETTINGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ppo": (PPO, {"batch_size": 10, "n_epochs": 1, "learning_rate": LinearSchedule(1e-2, 0.0, 1.0)}),
    "a2c": (A2C, {}),
    "maskable_ppo": (MaskablePPO, {"batch_size": 10, "n_epochs": 1}),
    "trpo": (TRPO, {"batch_size": 10, "cg_max_steps": 3, "line_search_max_iter": 3, "n_critic_updates": 1}),
    "reinforce": (REINFORCE, {"learning_rate": 1e-2, "guidance": LinearSchedule(0.5, 0.0, 1.0)}),
    "groups": (REINFORCE, {"baseline": "group_normalised", "group_size": 3, "kl_coef": 0.1}),
    "adaptive kl": (REINFORCE, {"learning_rate": 0.1, "kl_coef": 0.5, "kl_target": 0.1, "kl_horizon": 50.0}),
    "self_training": (SelfTraining, {"learning_rate": 1e-2}),
    "no text in some rollouts": (REINFORCE, {"n_steps": 1, "temperature": 1.5, "baseline": "value"}),
}


def make_model(name: str = "ppo", *, rows: int = ROWS, env_kwargs: dict[str, Any] | None = None, **changed: Any) -> Any:
    algorithm, settings = SETTINGS[name]
    kwargs = {"group_size": settings.get("group_size", 1), **COPY, **(env_kwargs or {})}
    env = make_vec_env("textgym/Copy-v0", n_envs=rows, **kwargs)
    policy: Any = TransformerPolicy
    given = {"n_steps": STEPS, "seed": 0, "device": "cpu", "policy_kwargs": {"model": SMALL}, **settings, **changed}
    if algorithm is TRPO:
        given["policy_kwargs"] = {**given["policy_kwargs"], "attn_implementation": "eager"}
    if algorithm is MaskablePPO:
        policy, given["rollout_buffer_class"] = MaskableTransformerPolicy, MaskableSequenceRolloutBuffer
    elif not issubclass(algorithm, TextAlgorithm):
        given["rollout_buffer_class"] = SequenceRolloutBuffer
    return algorithm(policy, env, **given)


class KilledError(Exception):
    """The end of a process, as far as a test can play it."""


class StopAt(BaseCallback):
    """Stops a run at a call of its `on_step`, in the middle of a rollout, or at the end of one."""

    def __init__(self, call: int, *, after_rollout: bool = False) -> None:
        super().__init__()
        self.call, self.after_rollout = call, after_rollout

    def _on_step(self) -> bool:
        if self.n_calls == self.call and not self.after_rollout:
            raise KilledError
        return True

    def _on_rollout_end(self) -> None:
        if self.n_calls >= self.call and self.after_rollout:
            raise KilledError


def learn(model: Any, *callbacks: BaseCallback, total: int = TOTAL) -> list[dict[str, float]]:
    """Learns, and returns the records of `ReturnsCallback`."""
    records: list[dict[str, float]] = []
    explored = [] if isinstance(model, TextAlgorithm) else [Exploration(guidance=LinearSchedule(0.5, 0.0, 1.0))]
    model.learn(total, callback=[*callbacks, ReturnsCallback(records.append), StopOnNonFinite(), *explored])
    return records


def whole_state(model: Any, folder: Path) -> dict[str, Any]:
    """All that a model holds, without the clock's part in it."""
    state = read_state(save_checkpoint(model, folder))
    for episode in state["episodes"]["ep_info_buffer"]:
        episode.pop("t")
    return {name: plain(part) for name, part in state.items()}


def plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.numpy()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[list[Any], dict[str, Any]]]:
    """The records and the last state of runs without checkpoints."""
    found: dict[str, Any] = {}

    def run(name: str) -> tuple[list[Any], dict[str, Any]]:
        if name not in found:
            model = make_model(name)
            found[name] = learn(model), whole_state(model, tmp_path_factory.mktemp("whole"))
        return found[name]  # type: ignore[no-any-return]

    return run


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(
    ("call", "after_rollout"),
    [(11, False), pytest.param(2, False, marks=pytest.mark.slow), pytest.param(25, True, marks=pytest.mark.slow)],
)
def test_a_stopped_run_goes_on_as_if_it_was_not(
    name: str, call: int, after_rollout: bool, tmp_path: Path, uninterrupted: Any
) -> None:
    records, state = uninterrupted(name)
    folder = tmp_path / "checkpoints"
    with pytest.raises(KilledError):
        learn(make_model(name), Checkpoints(folder, every=2), StopAt(call, after_rollout=after_rollout))
    random.seed(99), np.random.seed(99), torch.manual_seed(99)  # noqa: NPY002  (another process knows nothing)
    model = make_model(name)
    newest = newest_checkpoint(folder)
    assert newest is not None
    resumed = learn(model, Checkpoints(folder, every=2, resume=True))
    assert resumed == [record for record in records if record["timesteps"] > timesteps_of(newest)]
    assert_same(whole_state(model, tmp_path / "whole"), state)


@pytest.mark.parametrize("name", SETTINGS)
def test_checkpoints_change_nothing(name: str, tmp_path: Path, uninterrupted: Any) -> None:
    records, state = uninterrupted(name)
    model = make_model(name)
    assert learn(model, Checkpoints(tmp_path / "checkpoints", every=1)) == records
    assert_same(whole_state(model, tmp_path / "whole"), state)


def test_every_rollout_begins_with_an_empty_cache() -> None:
    """Else one that goes on would compute again what another has kept, which may differ in the last bit."""

    class Look(BaseCallback):
        def _on_step(self) -> bool:
            return True

        def _on_rollout_start(self) -> None:
            found.append(len(self.model.policy._caches))  # type: ignore[arg-type, union-attr]

    found: list[int] = []
    model = make_model("no text in some rollouts")
    learn(model, Look())
    assert found == [0] * (TOTAL // ROWS)
    assert model._n_updates < len(found)  # some had nothing to learn from, and so changed no weights


def test_a_checkpoint_can_be_loaded_by_hand(tmp_path: Path, uninterrupted: Any) -> None:
    """Without callbacks, and with SB3's own way of going on."""
    whole = make_model()
    whole.learn(TOTAL)
    model = make_model()
    model.learn(TOTAL, callback=[Checkpoints(tmp_path, every=3, keep=10)])
    model = make_model()
    left = load_checkpoint(model, tmp_path / f"step-{3 * ROWS * STEPS:012d}")
    assert left == TOTAL - 3 * ROWS * STEPS
    model.learn(left, reset_num_timesteps=False)
    assert_same(plain(model.get_parameters()), plain(whole.get_parameters()))


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    model = make_model()
    learn(model, Checkpoints(tmp_path))
    again = make_model()
    learn(again, Checkpoints(tmp_path, resume=True), StopAt(1))
    assert again.num_timesteps == model.num_timesteps
    assert_same(plain(again.get_parameters()), plain(model.get_parameters()))


def test_the_newest_are_kept_and_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"step-000000000020{PARTIAL}").mkdir()
    learn(make_model(), Checkpoints(tmp_path, every=2, keep=3))
    steps = [int(path.name.removeprefix("step-")) for path in sorted(tmp_path.iterdir())]
    assert steps == [80, 120, 140]


def test_by_default_a_twentieth_of_a_run_lies_between_two(tmp_path: Path) -> None:
    model = make_model()
    model.learn(40 * ROWS * STEPS, callback=Checkpoints(tmp_path, keep=100))
    steps = [timesteps_of(path) for path in sorted(tmp_path.iterdir())]
    assert steps == list(range(0, 40 * ROWS * STEPS + 1, 2 * ROWS * STEPS))


def test_where_an_algorithm_logs_rarely_its_log_is_the_same(tmp_path: Path) -> None:
    """A2C counts its updates anew in each `learn`, so a checkpoint falls where it logs."""
    model = make_model("a2c")
    model.learn(TOTAL, callback=Checkpoints(tmp_path, every=2, keep=10), log_interval=3)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"step-{n:012d}" for n in (0, 60, 120, 140)]


# --- what is refused


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the checkpoint of a run of PPO that is broken off."""
    folder = tmp_path_factory.mktemp("taken")
    with pytest.raises(KilledError):
        learn(make_model(), Checkpoints(folder, every=2, keep=1), StopAt(12))
    return folder


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "algorithm": ({"name": "a2c"}, "algorithm was 'stable_baselines3.ppo.ppo.PPO' and is 'stable_base"),
    "rows": ({"rows": 5}, "rows was 4 and is 5"),
    "argument": ({"gamma": 0.5}, r"arguments.gamma was 0.99 and is 0.5"),
    "seed": ({"seed": 1}, "arguments.seed was 0 and is 1"),
    "schedule": ({"learning_rate": 1e-2}, r"arguments.learning_rate was \{'schedule': \[0.01, 0.0075, 0.005"),
    "environment": ({"env_kwargs": {"length": 2}}, "environment.arguments.length was 3 and is 2"),
    "fingerprint": ({"env_kwargs": {"size": 40}}, "environment.fingerprint was '"),
    "feedback": ({"env_kwargs": {"noise": NOISE[:1]}}, "environment.arguments.noise was"),
    "model": ({"policy_kwargs": {"model": {**SMALL, "n_head": 4}}}, "policy's arguments.model.n_head was 2 and is 4"),
    "width": ({"policy_kwargs": {"model": {**SMALL, "n_embd": 32}}}, "policy's arguments.model.n_embd was 16 and is 3"),
    "optimizer": ({"policy_kwargs": {"model": SMALL, "optimizer_class": torch.optim.AdamW}}, "optimizer_class was"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_another_run_is_refused_before_anything_changes(what: str, taken: Path) -> None:
    changed, message = OTHERS[what]
    model = make_model(**changed)
    before = {key: value.clone() for key, value in model.policy.state_dict().items()}
    with pytest.raises(ValueError, match=rf"step-000000000040 is of another run: .*{message}"):
        load_checkpoint(model, taken)
    assert model.num_timesteps == 0
    assert_same(plain(before), plain(model.policy.state_dict()))


def test_an_entropy_bonus_that_no_callback_schedules_is_compared(tmp_path: Path) -> None:
    make_model(ent_coef=0.0).learn(40, callback=Checkpoints(tmp_path))
    with pytest.raises(ValueError, match=r"arguments.ent_coef was 0.0 and is 0.5"):
        make_model(ent_coef=0.5).learn(40, callback=Checkpoints(tmp_path, resume=True))


@pytest.mark.parametrize("name", ["ppo", "reinforce"])
def test_broken_weights_are_named_before_a_token_is_drawn_from_them(name: str, tmp_path: Path) -> None:
    model = make_model(name, learning_rate=1e30)
    with pytest.raises(
        FloatingPointError, match=r"became (nan|inf|-inf) after [24]0 timesteps; the learning rate was 1e\+30"
    ):
        model.learn(200, callback=Checkpoints(tmp_path, every=3))
    assert timesteps_of(newest_checkpoint(tmp_path) or Path()) == 0  # the last good one


def test_another_length_of_the_run_is_refused(taken: Path) -> None:
    with pytest.raises(ValueError, match="140 timesteps in all, and 280 are asked for"):
        learn(make_model(), Checkpoints(taken, resume=True), StopAt(9), total=2 * TOTAL)


def test_other_callbacks_are_refused(taken: Path) -> None:
    with pytest.raises(ValueError, match=r"the callback Exploration 1 is missing; the callback ReturnsCallback 1 is"):
        make_model().learn(TOTAL, callback=Checkpoints(taken, resume=True))
    with pytest.raises(ValueError, match=r"explored in another way: guidance.* was \{'schedule'.*\} and is 0.25"):
        make_model().learn(TOTAL, [Checkpoints(taken, resume=True), ReturnsCallback(), Exploration(guidance=0.25)])


def test_the_checkpoints_of_another_run_are_not_written_over(taken: Path) -> None:
    with pytest.raises(FileExistsError, match="give each run a folder of its own"):
        learn(make_model(), Checkpoints(taken))


def test_a_second_learn_goes_on_and_a_new_beginning_is_refused(tmp_path: Path) -> None:
    model, checkpoints = make_model(), Checkpoints(tmp_path, every=2)
    model.learn(40, callback=checkpoints)
    model.learn(40, callback=checkpoints, reset_num_timesteps=False)
    assert newest_checkpoint(tmp_path) == tmp_path / "step-000000000080"
    with pytest.raises(FileExistsError, match="another run"):
        model.learn(40, callback=checkpoints)


def test_what_can_not_be_restored_exactly_is_refused(tmp_path: Path) -> None:
    model = make_model()
    model.env = VecMonitor(model.env)
    with pytest.raises(ValueError, match="VecMonitor has no get_state"):
        save_checkpoint(model, tmp_path)
    with pytest.raises(ValueError, match=r"checkpoints are for PPO, A2C, MaskablePPO, TRPO and .* got DQN"):
        save_checkpoint(DQN("MlpPolicy", "CartPole-v1", device="cpu"), tmp_path)
    with pytest.raises(ValueError, match="every and keep must be at least 1, got 0 and 2"):
        Checkpoints(tmp_path, every=0)
    assert not list(tmp_path.iterdir())


def test_a_rollout_that_a_callback_breaks_off_is_not_kept(tmp_path: Path) -> None:
    class Enough(BaseCallback):
        def _on_step(self) -> bool:
            return self.n_calls < 8

    make_model().learn(TOTAL, callback=CallbackList([Checkpoints(tmp_path, every=1), Enough()]))
    assert newest_checkpoint(tmp_path) == tmp_path / "step-000000000020"


def test_other_threads_go_on_with_a_warning(taken: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(taken, tmp_path / "copy")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        with pytest.warns(UserWarning, match=f"threads was {threads} and is {threads + 1}: the run goes on"):
            load_checkpoint(make_model(), folder)
    finally:
        torch.set_num_threads(threads)


# --- damage

DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated": (lambda p: (p / "tensors.safetensors").write_bytes(b"short"), r"tensors\.safetensors is damaged"),
    "missing": (lambda p: (p / "arrays.npz").unlink(), r"arrays\.npz is missing"),
    "edited": (lambda p: (p / "state.json").write_text("{}"), r"state\.json is damaged: the manifest says"),
    "no manifest": (lambda p: (p / "manifest.json").unlink(), r"manifest\.json is missing"),
    "half a manifest": (lambda p: (p / "manifest.json").write_text('{"fo'), r"manifest\.json is damaged: no JSON"),
    "version": (
        lambda p: (p / "manifest.json").write_text(json.dumps({"format": "textgym state", "version": 2})),
        r"manifest\.json: this reads format 'textgym state', version 1, and the file has .* version 2",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_an_error_that_names_the_file(damage: str, taken: Path, tmp_path: Path) -> None:
    spoil, message = DAMAGES[damage]
    folder = shutil.copytree(taken, tmp_path / "copy")
    (checkpoint,) = folder.iterdir()
    spoil(checkpoint)
    with pytest.raises(ValueError, match=message):
        learn(make_model(), Checkpoints(folder, resume=True))


def test_a_flipped_bit_anywhere_is_an_error_that_names_the_file(taken: Path, tmp_path: Path) -> None:
    (checkpoint,) = shutil.copytree(taken, tmp_path / "copy").iterdir()
    generator = random.Random(0)
    for path in 25 * sorted(checkpoint.iterdir()):
        whole = path.read_bytes()
        content = bytearray(whole)
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        path.write_bytes(content)
        with pytest.raises(ValueError, match=re.escape(str(checkpoint))):
            read_state(checkpoint)
        path.write_bytes(whole)


# --- broken weights


@pytest.mark.parametrize("name", ["ppo", "reinforce"])
def test_weights_that_are_not_finite_stop_the_run_and_are_never_kept(name: str, tmp_path: Path) -> None:
    class Break(BaseCallback):
        def _on_step(self) -> bool:
            return True

        def _on_rollout_end(self) -> None:
            if self.num_timesteps == 3 * ROWS * STEPS:
                self.model.policy.optimizer.param_groups[0]["weight_decay"] = math.nan  # type: ignore[union-attr]

    message = r"became nan after 60 timesteps; the learning rate was 0\.\d+, and the last \d+ episodes were paid"
    with pytest.raises(FloatingPointError, match=message):
        learn(make_model(name), Checkpoints(tmp_path, every=1), Break())
    newest = newest_checkpoint(tmp_path)
    assert newest == tmp_path / "step-000000000040"
    assert all(torch.isfinite(weights).all() for weights in read_state(newest)["weights"]["policy"].values())
