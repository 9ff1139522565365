"""The dynamics by hand-worked examples: turns, budgets, samples, signals at their time, and wrong input."""

from pathlib import Path

import gymnasium
import numpy as np
import pytest

import textgym
from textgym.env import TextEnv
from textgym.metrics.base import Metric
from textgym.simulator import Simulator
from textgym.tasks.base import PromptSet, Task, pad
from textgym.tasks.making import make_task
from textgym.vector_env import TextVectorEnv
from textgym.vocabulary import WordVocabulary

COPY = "textgym/Copy-v0"


class Echo(Task):
    """Example task with turns: the other side repeats the agent's last word, once."""

    def __init__(self, prompts: int = 4) -> None:
        self.vocabulary = WordVocabulary(["a", "b", "c", "d"])
        self.max_new_tokens, self.max_reply_tokens, self.prompts = 5, 2, prompts

    def make_prompt_set(self, split):
        words = [[3 + i] for i in range(self.prompts)]
        return PromptSet.from_tokens(words, words, self.vocabulary)

    def gold(self, transition):
        return (transition.text_lengths == 4).astype(float)

    def reply(self, transition, address):
        said = transition.text_ids[np.arange(len(transition)), transition.steps - 1]
        second = (transition.text_ids[:, :-1] == 2).sum(axis=1) > 1
        return pad([[] if late else [word, 1] for word, late in zip(said, second, strict=True)], 0)


class Length(Metric):
    """Counts tokens as they are written, and reads what it was given."""

    timing = "step"
    high = 5.0

    def score(self, transition):
        return transition.text_lengths.astype(float)


class Ending(Metric):
    """The length of finished texts."""

    high = 6.0

    def score(self, transition):
        assert transition.finished.all()
        return transition.text_lengths.astype(float)


@pytest.fixture(autouse=True)
def registered():
    textgym.register_component("tasks", "echo", Echo)
    textgym.register_component("metrics", "length_so_far", Length)
    textgym.register_component("metrics", "length_at_end", Ending)


def simulator(**arguments):
    arguments = {"task": "echo", "feedback": ["length_at_end"], **arguments}
    made = Simulator(1, **arguments)
    made.reseed(np.array([0]), [0])
    made.start(np.array([0]), np.array([0]))
    return made


def test_the_other_side_answers_after_the_end_token():
    echo = simulator()
    assert echo.context_length == 2 + 5 + 2
    assert not echo.step(np.array([4])).terminated[0]
    assert not echo.step(np.array([2])).terminated[0]
    assert echo.input_ids[0].tolist() == [3, 1, 4, 2, 4, 1, 0, 0, 0]
    assert echo.attention_mask[0].tolist() == [1] * 6 + [0] * 3
    assert not echo.step(np.array([5])).terminated[0]
    result = echo.step(np.array([2]))
    assert result.terminated[0]
    assert result.info["signals"][0, 0] == 3  # the end token that closes the text does not count, the other does
    assert result.final["finish_reason"][0] == "stop"
    assert echo.input_ids[0].tolist() == [3, 1, 4, 2, 4, 1, 5, 2, 0]


def test_the_budget_ends_a_text_of_turns():
    echo = simulator()
    results = [echo.step(np.array([action])) for action in (4, 2, 5, 5, 5)]
    assert [bool(result.terminated[0]) for result in results] == [False] * 4 + [True]
    assert results[-1].final["finish_reason"][0] == "length"
    assert results[-1].info["signals"][0, 0] == 5


def test_step_and_episode_signals_are_given_at_their_time():
    feedback = [{"name": "length_so_far", "weight": 2.0}, {"name": "length_at_end", "weight": -1.0}]
    env = gymnasium.make(COPY, feedback=feedback, max_new_tokens=3, noise=[])
    env.reset(seed=0)
    infos = [env.step(action)[4] for action in (5, 5, 2)]
    assert [info["signals"].tolist() for info in infos] == [[1, 0], [2, 0], [2, 2]]
    assert [info["observed_mask"].tolist() for info in infos] == [[True, False], [True, False], [True, True]]
    assert [info["clean_reward"] for info in infos] == [2, 4, 2]
    assert infos[-1]["clean_return"] == 8


def test_noise_falls_only_where_feedback_is_given():
    env = gymnasium.make(COPY, feedback=["length_at_end"], noise=[{"name": "gaussian", "sigma": 1.0}])
    env.reset(seed=0)
    rewards = [env.step(3)[1] for _ in range(6)]
    assert rewards[:5] == [0] * 5
    assert rewards[5] not in (0, 6)


def test_noise_on_a_signal_and_on_the_sum():
    channel = {"name": "gaussian", "sigma": 0.5}
    feedback = [{"name": "rating", "metric": "exact_match", "weight": 2.0, "readings": 4, "noise": [channel]}]
    env = gymnasium.make_vec(
        COPY, num_envs=4000, vectorization_mode="vector_entry_point", feedback=feedback, noise=[channel]
    )
    env.reset(seed=0)
    *_, info = env.step(np.full(4000, 2))
    assert not info["signals"].any()
    assert info["observed_signals"].std() == pytest.approx(0.5 / 2, rel=0.05)  # the mean of four readings
    assert info["observed_reward"].std() == pytest.approx(np.hypot(2 * 0.25, 0.5), rel=0.05)
    between = np.corrcoef(info["observed_signals"][:, 0], info["observed_reward"] - 2 * info["observed_signals"][:, 0])
    assert abs(between[0, 1]) < 0.07


def test_another_signal_does_not_shift_the_chance_of_the_first():
    noisy = {"name": "rating", "metric": "token_match", "spread": 0.3}
    runs = []
    for feedback in ([noisy], [{"name": "rating", "metric": "exact_match", "spread": 0.3}, noisy]):
        env = gymnasium.make(COPY, feedback=feedback, noise=[])
        env.reset(seed=0)
        runs.append([env.step(3)[4]["observed_signals"][-1] for _ in range(6)])
    assert runs[0] == runs[1]


def test_equal_signals_get_labels_of_their_own():
    env = gymnasium.make(COPY, feedback=["exact_match", "exact_match", {"name": "rating", "metric": "exact_match"}])
    assert env.unwrapped.simulator.signal_names == ["exact_match", "exact_match#2", "rating:exact_match"]


def test_samples_are_picked_by_hand():
    env = gymnasium.make_vec(COPY, num_envs=3, vectorization_mode="vector_entry_point")
    _, info = env.reset(seed=0, options={"sample": np.array([4, 2, 9])})
    assert info["sample"].tolist() == [4, 2, 9]
    _, info = env.reset(options={"sample": 7})
    assert info["sample"].tolist() == [7, 7, 7]


def test_all_samples_come_equally_often():
    env = Simulator(20_000, task="echo", feedback=["length_at_end"])
    env.reseed(np.arange(20_000), textgym.row_seeds(0, 20_000))
    counts = np.bincount(env.start(np.arange(20_000))["sample"], minlength=4)
    np.testing.assert_allclose(counts / 20_000, 0.25, atol=0.02)


def test_an_unseeded_environment_starts_and_goes_on():
    for env in (gymnasium.make(COPY), gymnasium.make_vec(COPY, num_envs=2, vectorization_mode="vector_entry_point")):
        assert env.np_random is not None
        first, again = env.reset()[0]["input_ids"], env.reset()[0]["input_ids"]
        assert first.shape == again.shape
    seeds = [5, None]
    vector = gymnasium.make_vec(COPY, num_envs=2, vectorization_mode="vector_entry_point")
    single = gymnasium.make(COPY)
    vectors, alone = vector.reset(seed=seeds)[0]["input_ids"], single.reset(seed=5)[0]["input_ids"]
    np.testing.assert_array_equal(vectors[0], alone)


def test_tasks_are_shared_within_a_process():
    assert make_task("copy", length=3) is make_task({"name": "copy", "length": 3})
    assert make_task("copy", length=3) is not make_task("copy", length=4)


def test_a_class_that_is_defined_anew_takes_the_place_of_the_former():
    class Again(Echo):
        pass

    one = type("Again", (Echo,), {"__module__": Again.__module__, "__qualname__": Again.__qualname__})
    textgym.register_component("tasks", "again", one)
    assert type(make_task("again")) is one
    textgym.register_component("tasks", "again", Again)
    assert type(make_task("again")) is Again  # and not the one made before
    textgym.register_component("metrics", "rouge_l", "textgym.metrics.rouge_l:RougeL")
    for another in (Echo, lambda: Again()):
        with pytest.raises(ValueError, match="'again' already names one of the tasks"):
            textgym.register_component("tasks", "again", another)


def test_numbers_of_numpy_and_paths_are_plain_data():
    assert make_task("copy", length=np.int64(3)) is make_task("copy", length=3)
    assert gymnasium.make(COPY, length=np.int64(3)).unwrapped.simulator.task is make_task("copy", length=3)
    sample = Path(textgym.__file__).parent / "tasks/parts/dataset_sample.jsonl"
    templates = {"prompt": "{question}", "reference": "{answer}"}
    assert make_task("dataset", data=sample, **templates) is make_task("dataset", data=str(sample), **templates)


def test_all_names_are_listed():
    assert set(textgym.__all__) <= set(dir(textgym))


def test_rendering_shows_prompt_text_and_pay():
    env = gymnasium.make(COPY, render_mode="ansi", length=2)
    env.reset(seed=0)
    for action in [*env.unwrapped.simulator.input_ids[0, :2], 2]:
        env.step(action)
    lines = env.render().splitlines()
    assert "gold 1.000 (stop)" in lines[2]
    assert lines[0].strip("\x1b[0m2") == lines[1].strip("\x1b[0m1")
    assert gymnasium.make(COPY).unwrapped.render() is None
    envs = gymnasium.make_vec(
        COPY, num_envs=1, vectorization_mode="vector_entry_point", autoreset_mode="SameStep", render_mode="ansi"
    )
    envs.reset(seed=0)
    envs.step(np.array([2]))
    assert "gold" not in envs.render()[0]  # of a text that is not shown any more


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"nose": []},
            r"unexpected keyword argument 'nose' \(did you mean 'noise'\?\); known to every environment: task",
        ),
        ({"lenght": 3}, r"unexpected keyword argument 'lenght' \(did you mean 'length'\?\)"),
        ({"length": 0}, "length must be at least 1"),
        ({"difficulty": "impossible"}, "difficulty of the task 'copy' must be one of .*, got 'impossible'"),
        ({"split": "dev"}, "split must be one of train, validation, test, got 'dev'"),
        ({"feedback": ["rogue_l"]}, "unknown signal 'rogue_l' in feedback; known metrics and annotators: .*rouge_l"),
        ({"feedback": []}, "feedback must name at least one signal"),
        ({"feedback": "rouge_l"}, "feedback must be a list"),
        ({"feedback": [{"weight": 1}]}, "must be a name or a mapping"),
        ({"feedback": ["rating"]}, "annotator 'rating' needs the metric it reads"),
        ({"feedback": [{"name": "rating", "metric": "rouge_l", "level": 3}]}, "did you mean 'levels'"),
        ({"feedback": [{"name": "exact_match", "weight": float("inf")}]}, "must be a finite number, got inf"),
        ({"feedback": [{"name": "exact_match", "weight": "1"}]}, "must be a finite number, got '1'"),
        ({"noise": ["gauss"]}, r"unknown noise 'gauss' \(did you mean 'gaussian'\?\); known: .*gaussian, .*quantise"),
        ({"noise": ["gaussian"]}, "noise 'gaussian' needs the argument 'sigma'"),
        ({"noise": [{"name": "gaussian", "sigma": -1}]}, "sigma must be finite and non-negative, got -1"),
        ({"noise": [{"name": "gaussian", "sigma": "1"}]}, "noise 'gaussian': "),
        ({"fusion": "mean"}, "unknown fusion 'mean'.*; known: fixed"),
        ({"correction": ["kalmann"]}, r"unknown correction 'kalmann' \(did you mean 'kalman'\?\); known: .*none"),
        ({"reward": "clean"}, "reward must be one of feedback, gold, sum, got 'clean'"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1, got 0"),
        ({"context_length": 9}, "context_length must be at least 12, got 9: the longest prompt has 6 tokens"),
        ({"group_size": 0}, "group_size must be at least 1, got 0"),
        ({"length": {1, 2}}, "plain data"),
        ({"length": np.arange(2)}, "plain data"),
        ({"difficulty": []}, r"difficulty of the task 'copy' must be one of .*, got \[\]"),
        ({"task": "dataset", "difficulty": "hard"}, "the task 'dataset' has no difficulties: leave difficulty='hard'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        gymnasium.make(COPY, disable_env_checker=True, **arguments)


def test_pictures_are_refused_as_stable_baselines3_expects():
    with pytest.raises(TypeError, match="render_mode must be None or 'ansi', got 'rgb_array'"):
        TextEnv("copy", render_mode="rgb_array")
    with pytest.raises(TypeError, match="render_mode must be None or 'ansi', got 'rgb_array'"):
        TextVectorEnv(2, "copy", render_mode="rgb_array")


def test_wrong_vector_arguments_are_refused():
    def make(num_envs=2, **arguments):
        return gymnasium.make_vec(COPY, num_envs=num_envs, vectorization_mode="vector_entry_point", **arguments)

    with pytest.raises(ValueError, match="num_envs must be at least 1, got 0"):
        make(num_envs=0)
    with pytest.raises(ValueError, match="'max_episode_steps': what limits a text is max_new_tokens; known to"):
        make(max_episode_steps=3)
    with pytest.raises(ValueError, match="autoreset_mode must be one of 'NextStep', 'SameStep', 'Disabled', got 'no'"):
        make(autoreset_mode="no")
    env = make(autoreset_mode="Disabled")
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"call reset\(\)"):
        env.step(np.array([3, 3]))
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"row 0 has no text yet: call reset\(\) before render\(\)"):
        make(render_mode="ansi").render()
    with pytest.raises(ValueError, match="one for each of 2 rows, got 3"):
        env.reset(seed=[1, 2, 3])
    with pytest.raises(ValueError, match="2 booleans with at least one True"):
        env.reset(options={"reset_mask": np.array([False, False])})
    half = make()
    half.reset(seed=0, options={"reset_mask": np.array([True, False])})
    with pytest.raises(gymnasium.error.ResetNeeded, match="row 1 has no text under way"):
        half.step(np.array([3, 3]))
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"2 whole numbers, one for each row, got shape \(3,\)"):
        env.step(np.array([3, 3, 3]))
    env.step(np.array([2, 3]))
    with pytest.raises(gymnasium.error.ResetNeeded, match="row 0 has no text under way"):
        env.step(np.array([3, 3]))


@pytest.mark.parametrize("action", [-1, 11, 1.0, np.array([3, 3]), "a"])
def test_wrong_actions_are_refused(action):
    env = gymnasium.make(COPY).unwrapped
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"0 to 10, got|whole numbers"):
        env.step(action)


def test_wrong_resets_and_steps_are_refused():
    env = gymnasium.make(COPY).unwrapped
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"call reset\(\) before step\(\)"):
        env.step(3)
    with pytest.raises(ValueError, match="unknown option 'smaple' of reset; known: sample"):
        env.reset(options={"smaple": 1})
    with pytest.raises(ValueError, match="a sample must be 0 to 767 in the train split, got"):
        env.reset(options={"sample": 768})
    with pytest.raises(ValueError, match="must be a whole number"):
        env.reset(options={"sample": 1.5})
    env.reset(seed=0)
    env.step(2)
    with pytest.raises(gymnasium.error.ResetNeeded, match="the text is finished"):
        env.step(3)
    with pytest.raises(
        ValueError, match=r"the state's input_ids has the shape \(1, 12\), this environment's \(1, 11\)"
    ):
        gymnasium.make(COPY, max_new_tokens=5).unwrapped.set_state(env.get_state())
    other = gymnasium.make(COPY, noise=[{"name": "delay", "steps": 1}]).unwrapped
    other.reset(seed=1)
    before = other.get_state()["rows"]
    with pytest.raises(ValueError, match="other feedback than this environment's: they differ in 'sum/noise/0'"):
        other.set_state(env.get_state())
    for name, values in other.get_state()["rows"].items():
        np.testing.assert_array_equal(values, before[name])


def test_an_empty_split_and_unknown_names_are_refused():
    with pytest.raises(ValueError, match="the split 'train' of Echo has no prompts"):
        gymnasium.make("textgym/Copy-v0", task={"name": "echo", "prompts": 0}, feedback=["length_at_end"])
    with pytest.raises(ValueError, match="unknown task 'ecco'"):
        gymnasium.make("textgym/Copy-v0", task="ecco")
    with pytest.raises(ValueError, match="'rating' already names one of the annotators"):
        textgym.register_component("metrics", "rating", Length)
    for no_entry_point in ("ratings", "ratings:", ":Ratings"):
        with pytest.raises(ValueError, match=f'a class or "module:Class", got {no_entry_point!r}'):
            textgym.register_component("metrics", "ratings", no_entry_point)
    with pytest.raises(ValueError, match="kind must be one of tasks, metrics"):
        textgym.components("metric")
    assert "rouge_l" in textgym.components("metrics")
