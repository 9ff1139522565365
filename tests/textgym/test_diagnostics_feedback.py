"""Memory, Stop, Tradeoff, Hacking, Drift, Noise: what they declare, against all the texts that there can be."""

import gymnasium
import numpy as np
import pytest

import textgym
from textgym.registration import build, load_component
from textgym.tasks.making import make_task
from textgym.vector_env import TextVectorEnv

NAMES = ("memory", "stop", "tradeoff", "hacking", "drift", "noise")
TRUTHFUL = ("memory", "stop", "tradeoff", "noise")
SIGNAL_OF = {"tradeoff": "reader_2", "hacking": "proxy", "drift": "taste"}
SMALL = [
    ("memory", {"length": 3, "place": 1, "letters": 2}),
    ("memory", {"length": 2, "place": 2, "letters": 3}),
    ("stop", {"largest": 2, "letters": 2}),
    ("stop", {"largest": 3, "letters": 2}),
    ("tradeoff", {"length": 3, "letters": 3, "conflict": 0.5}),
    ("tradeoff", {"length": 3, "letters": 4, "conflict": 2.0, "weight": 0.3}),
    ("hacking", {"length": 3, "letters": 2, "agreement": 0}),
    ("hacking", {"length": 3, "letters": 2, "agreement": 1}),
    ("hacking", {"length": 3, "letters": 2, "agreement": 2}),
    ("drift", {"length": 3, "letters": 2, "speed": 0.3}),
    ("noise", {"length": 2, "letters": 2, "sigma": 0.5}),
]
PRESETS = [(name, difficulty) for name in NAMES for difficulty in ("easy", "medium", "hard")]


class EveryText:
    """All texts of all prompts of the train split, written in a TextVectorEnv, one in each row.

    Attributes:
        gold, clean: (S, W, ..., W) the returns of each row, by prompt and by each of T writable tokens.
        signals: (n, k) the signals of each row, summed.
        values: for each step, one row for each beginning that has not ended, (r,), and its action values, (r, W).
    """

    def __init__(self, name, episode=0, **arguments):
        task = make_task(name, **{key: value for key, value in arguments.items() if key != "max_new_tokens"})
        self.task = task
        writable = np.flatnonzero(task.vocabulary.writable)
        budget = arguments.get("max_new_tokens", task.max_new_tokens)
        prompts, texts = len(task.prompt_set("train")), len(writable) ** budget
        grid = np.stack(np.meshgrid(*[writable] * budget, indexing="ij"), axis=-1).reshape(texts, budget)
        actions = np.tile(grid, (prompts, 1))
        samples = np.repeat(np.arange(prompts), texts)
        env = TextVectorEnv(len(actions), name, autoreset_mode="Disabled", **arguments)
        simulator = env.simulator
        env.reset(seed=0, options={"sample": samples})
        for _ in range(episode):  # earlier texts, each of an end token alone
            env.step(np.full(env.num_envs, 2))
            env.reset(options={"sample": samples})
        self.signals = np.zeros((env.num_envs, len(simulator.signal_names)))
        returns = np.zeros((2, env.num_envs))
        self.values = []
        everybody, nobody = np.arange(env.num_envs), np.zeros(env.num_envs, np.bool_)
        for step in range(budget):
            first = everybody[:: len(writable) ** (budget - step)]
            first = first[simulator.running[first]]
            known = task.action_values(simulator._transition(everybody, nobody, nobody[:0]))
            self.values.append((first, known[first][:, writable]))
            result = simulator.step(actions[:, step])  # not the env's: rows whose text is over wait for the others
            self.signals += result.info["signals"]
            for number, kind in enumerate(("gold", "clean")):
                returns[number] += result.info[f"{kind}_reward"]
        assert not simulator.running.any()
        self.gold, self.clean = returns.reshape(2, prompts, *[len(writable)] * budget)


@pytest.mark.parametrize(("name", "arguments"), SMALL)
def test_optimum_and_random_return_are_those_of_all_texts(name, arguments):
    texts = EveryText(name, **arguments)
    best = texts.gold.reshape(len(texts.gold), -1).max(axis=1)
    assert best.mean() == pytest.approx(texts.task.optimal_return, abs=1e-12)
    assert texts.gold.mean() == pytest.approx(texts.task.random_return, abs=1e-12)


@pytest.mark.parametrize("less", [0, 1])
@pytest.mark.parametrize(("name", "arguments"), SMALL)
def test_action_values_are_the_best_that_can_follow(name, arguments, less):
    budget = make_task(name, **arguments).max_new_tokens - less
    if budget < 1:
        pytest.skip("no budget left")
    texts = EveryText(name, **arguments, max_new_tokens=budget)
    gold, width = texts.gold.reshape(-1), texts.gold.shape[-1]
    for step, (rows, values) in enumerate(texts.values):
        below = width ** (budget - step - 1)
        best = gold.reshape(-1, width, below).max(axis=2)  # (S * W^t, W)
        np.testing.assert_allclose(values, best[rows // (width * below)], atol=1e-12)


@pytest.mark.parametrize(("name", "arguments"), [small for small in SMALL if small[0] in TRUTHFUL])
def test_feedback_that_tells_the_truth_is_highest_where_gold_is(name, arguments):
    texts = EveryText(name, **arguments)
    gold, clean = (values.reshape(len(texts.gold), -1) for values in (texts.gold, texts.clean))
    np.testing.assert_allclose(gold[np.isclose(clean, clean.max(axis=1, keepdims=True))], 1.0)


@pytest.mark.parametrize(("name", "difficulty"), PRESETS)
def test_random_return_of_the_presets_by_sampling(name, difficulty):
    env = gymnasium.make_vec(
        f"textgym/{name.capitalize()}-v0",
        num_envs=20_000,
        vectorization_mode="vector_entry_point",
        difficulty=difficulty,
    )
    simulator = env.unwrapped.simulator
    generator, writable = np.random.default_rng(0), np.flatnonzero(simulator.vocabulary.writable)
    env.reset(seed=0)
    gold = np.zeros(env.num_envs)
    while simulator.running.any():
        gold += simulator.step(generator.choice(writable, env.num_envs)).info["gold_reward"]
    error = gold.std() / np.sqrt(len(gold))
    assert error > 0
    assert abs(gold.mean() - simulator.task.random_return) < 5 * error


@pytest.mark.parametrize("name", NAMES)
def test_presets_are_ordered_and_the_easy_one_is_the_default(name):
    made = load_component("tasks", name)
    tasks = [made(**made.presets[difficulty]) for difficulty in ("easy", "medium", "hard")]
    assert list(made.presets) == ["easy", "medium", "hard"]
    assert getattr(made(), made.swept) == getattr(tasks[0], made.swept)
    assert len({getattr(task, made.swept) for task in tasks}) == 3
    returns = [task.random_return for task in tasks]
    assert returns == sorted(returns, reverse=True)
    assert all(0 < value < 0.3 for value in returns)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("memory", {"length": 0}, "length must be at least 1"),
        ("memory", {"length": 4, "place": 5}, "place 1 to length, got length=4, place=5"),
        ("memory", {"letters": 27}, "letters must be 2 to 26, got 27"),
        ("memory", {"size": 2}, "size must be at least 3"),
        ("stop", {"largest": 0}, "largest must be at least 1, got 0"),
        ("tradeoff", {"conflict": 0}, "conflict must be above 0 and at most 10"),
        ("tradeoff", {"weight": 1.5}, "weight 0 to 1"),
        ("tradeoff", {"letters": 2}, "letters at least 3, got 8 and 2"),
        ("hacking", {"agreement": 7}, "agreement 0 to length, got length=6, agreement=7"),
        ("drift", {"speed": -0.1}, "speed finite and non-negative"),
        ("drift", {"speed": float("nan")}, "speed finite and non-negative"),
        ("noise", {"sigma": float("inf")}, "sigma must be finite and non-negative, got inf"),
    ],
)
def test_wrong_arguments_are_named(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        build("tasks", {"name": name, **arguments})


@pytest.mark.parametrize(("name", "signal"), SIGNAL_OF.items())
def test_a_task_pays_its_own_signals_and_refuses_others(name, signal):
    metric = {"name": "task_signal", "signal": signal}
    assert build("metrics", metric, make_task(name)).task is make_task(name)
    with pytest.raises(ValueError, match=f"this task has no signal '{signal}' of its own; known: none"):
        build("metrics", metric, make_task("copy"))


def test_memory_asks_for_the_letter_at_its_place():
    prompts = make_task("memory", length=6, place=4).prompt_set("test")
    np.testing.assert_array_equal(prompts.reference_ids[:, 0], prompts.prompt_ids[:, 3])
    assert len(set(prompts.reference_ids[:, 0].tolist())) == 4


def test_stop_asks_for_every_number_equally_often_in_every_split():
    task = make_task("stop", largest=5)
    for split in ("train", "validation", "test"):
        prompts = task.prompt_set(split)
        numbers = [int(task.vocabulary.decode(ids).split()[-1]) for ids in prompts.prompt_ids]
        np.testing.assert_array_equal(prompts.reference_lengths, numbers)
        assert np.bincount(numbers).tolist() == [0] + [len(prompts) // 5] * 5


@pytest.mark.parametrize("conflict", [0.5, 1.0, 2.0])
def test_pareto_front_is_what_no_text_beats(conflict):
    texts = EveryText("tradeoff", length=3, letters=3, conflict=conflict)
    reached = np.unique(texts.signals, axis=0)
    beaten = [(np.all(other >= own) and np.any(other > own)) for own in reached for other in reached]
    front = reached[~np.array(beaten).reshape(len(reached), -1).any(axis=1)]
    np.testing.assert_allclose(texts.task.pareto_front(), front)


def test_only_a_front_that_bulges_outwards_has_weighted_optima_between_its_ends():
    weights = [number / 50 for number in range(51) if number != 25]  # with 1/2, all of a straight front is best
    chosen = {c: {make_task("tradeoff", conflict=c, weight=w).best_count for w in weights} for c in (0.5, 1.0, 2.0)}
    assert chosen == {0.5: set(range(9)), 1.0: {0, 8}, 2.0: {0, 8}}


def test_tradeoff_by_hand():
    """Three of the first's letter and one of the second's of four: sqrt(3/4) and sqrt(1/4), with weights .6 and .4."""
    env = gymnasium.make("textgym/Tradeoff-v0", length=4, weight=0.6)
    observation, _ = env.reset(seed=0)
    first, second = observation["input_ids"][:2]
    for token in (first, second, first, first):
        *_, info = env.step(token)
    np.testing.assert_allclose(info["signals"], [0.75**0.5, 0.5])
    assert info["clean_return"] == pytest.approx(0.6 * 0.75**0.5 + 0.4 * 0.5)
    assert info["gold_return"] == pytest.approx(1.0)  # 2 and 2: .7071; 3 and 1: .7196; 4 and 0: .6


@pytest.mark.parametrize("agreement", [0, 1, 2, 3])
def test_the_proxy_policy_gets_the_gold_that_is_declared(agreement):
    texts = EveryText("hacking", length=3, letters=2, agreement=agreement)
    gold, proxy = (values.reshape(len(texts.gold), -1) for values in (texts.gold, texts.clean))
    best = proxy.argmax(axis=1)
    np.testing.assert_allclose(proxy.max(axis=1), 1.0)
    np.testing.assert_allclose(gold[np.arange(len(gold)), best], texts.task.proxy_optimal_return)
    assert texts.task.proxy_optimal_return == pytest.approx(max(0, 2 * agreement / 3 - 1))


def test_gold_rises_with_the_proxy_and_then_falls():
    praise = [" ".join(["great"] * count) for count in range(7)]
    scores = textgym.score("textgym/Hacking-v0", prompts=[0] * 7, completions=praise, agreement=4)
    np.testing.assert_allclose(scores.signals[:, 0], np.arange(7) / 6)
    np.testing.assert_allclose(scores.gold, np.array([0, 1, 2, 3, 4, 3, 2]) / 6)


@pytest.mark.parametrize("episode", [0, 1, 2, 3, 5])
def test_who_follows_the_drift_and_who_stays(episode):
    texts = EveryText("drift", episode=episode, length=2, letters=3, speed=0.3)
    gold, paid = (values.reshape(len(texts.gold), -1) for values in (texts.gold, texts.clean))
    moved = min(1.0, 0.3 * episode)
    rows = np.arange(len(gold))
    np.testing.assert_allclose(paid.max(axis=1), max(moved, 1 - moved))
    np.testing.assert_allclose(gold[rows, paid.argmax(axis=1)], float(episode < 2))
    np.testing.assert_allclose(paid[rows, gold.argmax(axis=1)], 1 - moved)
    assert texts.task.following_return(np.array([episode])) == (episode < 2)


def test_the_annotator_comes_to_like_the_next_letters():
    env = gymnasium.make("textgym/Drift-v0", length=4, letters=6, speed=0.75)
    env.reset(seed=0)
    env.step(2)
    prompts = env.unwrapped.simulator.prompt_set.prompt_ids[:, :4].tolist()
    env.reset(options={"sample": next(number for number, prompt in enumerate(prompts) if 8 in prompt)})  # with an f
    for letter in env.unwrapped.simulator.input_ids[0, :4].tolist():
        *_, info = env.step({3: 4, 4: 5, 5: 6, 6: 7, 7: 8, 8: 3}[letter])
    assert info["clean_return"] == 0.75
    assert info["gold_return"] == 0


def test_drift_starts_again_with_a_new_seed():
    env = gymnasium.make("textgym/Drift-v0", length=1, speed=1.0)
    paid = []
    for seed in (0, None, None, 0):
        observation, _ = env.reset(seed=seed, options={"sample": 0})
        paid.append(env.step(observation["input_ids"][0])[1])
    assert paid == [1, 0, 0, 1]


def test_noise_has_the_spread_that_is_asked_for():
    for arguments, sigma in (({"sigma": 0.7}, 0.7), ({"difficulty": "hard"}, 2.0), ({"sigma": 0.0}, 0.0)):
        env = gymnasium.make_vec(
            "textgym/Noise-v0", num_envs=4000, vectorization_mode="vector_entry_point", **arguments
        )
        env.reset(seed=0)
        *_, info = env.step(np.full(4000, 2))
        off = info["observed_return"] - info["gold_return"]
        assert off.std() == pytest.approx(sigma, rel=0.05)
        assert abs(off.mean()) <= 5 * sigma / np.sqrt(4000)


def test_noise_is_paid_once_a_text():
    env = gymnasium.make("textgym/Noise-v0", sigma=1.0, length=3)
    env.reset(seed=0)
    rewards = [env.step(3)[1] for _ in range(4)]
    assert rewards[:3] == [0, 0, 0]
    assert rewards[3] not in (0, 0.25, 0.5, 0.75, 1)
