"""Laws that every registered component obeys in every environment; a new name is covered without a change here."""

import inspect
import json
import re

import gymnasium
import numpy as np
import pytest

import textgym
from tests.laws import assert_same, random_actions, row_of
from textgym.registration import COMPONENTS, build, construct, load_component

IDS = textgym.env_ids()
DOCSTRING = "textgym/Docstring-v0"
KINDS = ("metrics", "annotators", "noise", "correction", "fusion")
EVERY = [(kind, name) for kind in KINDS for name in textgym.components(kind)]
TAUGHT = ("metrics", "reward_model")
"""Reads a folder that somebody has trained, and in float32, so that rows agree with single environments to six digits:
tests/agents/test_reward_metric.py has laws of its own."""
ALL = [component for component in EVERY if component != TAUGHT]
RATING = {"name": "rating", "metric": "rouge_l", "spread": 0.2, "readings": 3, "pool": {"size": 4, "bias": 0.1}}
GROUP = 3
PAIRS = [
    pytest.param(*component, env_id, marks=[pytest.mark.slow] if (number + place) % 3 else [])
    for number, component in enumerate(ALL)
    for place, env_id in enumerate(IDS)
]
"""Every component in every environment: a third of them, with each component and each environment, is not slow."""


def spec_of(kind, name):
    return {"name": name, **load_component(kind, name).example}


def arguments_of(kind, name, env_id):
    """The arguments of an environment in which the component does its work; skips where its metric needs more."""
    spec = spec_of(kind, name)
    given = {"max_new_tokens": 6, "group_size": GROUP, "noise": []}
    if kind == "metrics":
        given["feedback"] = [spec]
    elif kind == "annotators":
        default = load_component(kind, name).default_metric
        metric = {} if default or "metric" in spec else {"metric": "rouge_l"}
        given["feedback"] = [{**spec, **metric, "readings": 2, "pool": {"size": 3, "bias": 0.1, "spread": 0.05}}]
    elif kind == "noise":
        given |= {"feedback": ["token_match", {**RATING, "noise": [spec]}], "noise": [spec]}
    elif kind == "correction":
        flip = {"name": "flip", "rate": 0.1, "levels": [0, 0.25, 0.5, 0.75, 1]}
        given["feedback"] = [{**RATING, "noise": [flip], "correction": [spec]}]
    else:
        given |= {"feedback": [RATING, "exact_match", {"name": "token_match", "weight": 0.5}], "fusion": spec}
    return given


def environments(kind, name, env_id, rows):
    """Returns a vector environment and `rows` single ones; where a metric refuses the task, that is all there is."""
    arguments = arguments_of(kind, name, env_id)
    try:
        single = [gymnasium.make(env_id, **arguments) for _ in range(rows)]
    except ValueError as error:
        if "this task" not in str(error):
            raise
        pytest.skip(f"{name} refuses the task: {error}")
    return gymnasium.make_vec(env_id, num_envs=rows, vectorization_mode="vector_entry_point", **arguments), single


def assert_sound(info, space):
    """Asserts that an info has no NaN, stays inside its bounds, and shows zero where nothing was observed."""
    assert space.contains(info["signals"])
    assert not info["observed_signals"][~info["observed_mask"]].any()
    for value in (*info.values(), *(v for said in info.get("annotation", {}).values() for v in said.values())):
        array = np.asarray(value)
        assert array.dtype.kind in "OUS" or np.isfinite(array.astype(float)).all()


@pytest.mark.parametrize(("kind", "name", "env_id"), PAIRS)
def test_rows_equal_single_environments_and_states_restore(kind, name, env_id):
    seeds = [5, 0, 31]
    vector, single = environments(kind, name, env_id, len(seeds))
    actions = np.stack([random_actions(vector, 56, seed) for seed in range(3)], axis=1)
    vector.reset(seed=seeds)
    for seed, env in zip(seeds, single, strict=True):
        env.reset(seed=seed)
    running, told = [True] * 3, 0
    for number, action in enumerate(actions):
        if number == 40:  # a fresh environment goes on from the state of the first
            fresh = gymnasium.make(env_id, **arguments_of(kind, name, env_id))
            fresh.reset(seed=99)
            fresh.unwrapped.set_state(single[0].unwrapped.get_state())
            single[0] = fresh
        _, rewards, terminated, _, info = vector.step(action)
        for row, env in enumerate(single):
            if not running[row]:
                env.reset()
                running[row] = True
                continue
            _, reward, over, _, alone = env.step(int(action[row]))
            assert_same((alone, reward, over), (row_of(info, row), rewards[row], bool(terminated[row])))
            assert_sound(alone, env.unwrapped.signal_space)
            told += bool(alone["observed_mask"].any())
            running[row] = not over
    assert told or getattr(load_component(kind, name), "external", False)


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_another_seed_forgets_the_past(kind, name):
    _, (used, fresh) = environments(kind, name, DOCSTRING, 2)
    actions = random_actions(used, 30)
    used.reset(seed=1)
    for action in actions:
        if used.step(action)[2]:
            used.reset()
    used.reset(seed=2), fresh.reset(seed=2)
    for action in actions:
        one, other = used.step(action), fresh.step(action)
        assert_same(one, other)
        if one[2]:
            assert_same(used.reset(), fresh.reset())


@pytest.mark.parametrize(("kind", "name"), [*EVERY, *(("tasks", name) for name in textgym.components("tasks"))])
def test_specs_are_plain_data_and_documented(kind, name):
    component = load_component(kind, name)
    spec = {"name": name, **getattr(component, "example", {})}
    assert json.loads(json.dumps(spec)) == spec
    own = [p for p in inspect.signature(component).parameters if p not in ("task", "metric", "weights", "names")]
    for argument in own:
        assert f"{argument}:" in component.__doc__ or f"{argument}," in component.__doc__, argument


@pytest.mark.parametrize(("kind", "name"), [*EVERY, *(("tasks", name) for name in textgym.components("tasks"))])
def test_numbers_that_are_none_are_refused_by_name(kind, name):
    """Half a sentence, yes for a number, and a number in quotes; whatever else is missing or wrong."""
    parameters = inspect.signature(load_component(kind, name)).parameters.values()
    for number in [p for p in parameters if p.annotation in ("int", "float", "int | None", "float | None")]:
        whole = number.annotation in ("int", "int | None")
        for wrong in (True, "2", *([2.5] if whole else [])):
            expected = f"{number.name} must be a {'whole ' * whole}number, got {wrong!r}"
            with pytest.raises(ValueError, match=re.escape(expected)):
                build(kind, {"name": name, number.name: wrong})


def test_a_type_error_of_a_constructor_names_its_arguments():
    expected = "noise 'own': object of type 'int' has no len(); a value of the wrong kind among levels=3"
    with pytest.raises(ValueError, match=re.escape(expected)):
        construct("noise 'own'", lambda levels: len(levels), {"levels": 3})


@pytest.mark.parametrize("name", textgym.components("annotators"))
def test_answers_lie_in_their_bounds(name):
    _, (env,) = environments("annotators", name, DOCSTRING, 1)
    annotator = env.unwrapped.simulator.feedback.signals[0].annotator
    assert annotator.cost >= 0
    env.reset(seed=3)
    for action in random_actions(env, 120):
        *_, terminated, _, info = env.step(action)
        for said in info.get("annotation", {}).values():
            readings = said["readings"][said["answered"]]
            assert ((annotator.low <= readings) & (readings <= annotator.high)).all()
            if annotator.outcomes is not None:
                assert np.isclose(readings[:, None], annotator.outcomes).any(axis=1).all()
        if terminated:
            env.reset()


@pytest.mark.parametrize("name", textgym.components("annotators"))
def test_the_reference_is_answered_better_than_random_words(name):
    """Over 60 texts of each, in groups of which the last is either: the mean of what is observed is higher."""
    _, (env,) = environments("annotators", name, DOCSTRING, 1)
    simulator = env.unwrapped.simulator
    generator = np.random.default_rng(0)
    writable = np.flatnonzero(simulator.vocabulary.writable)
    means = {}
    for kind in ("reference", "random"):
        env.reset(seed=4)
        observed = []
        for text in range(20 * GROUP):
            _, info = env.reset()
            sample, compared = info["sample"], text % GROUP == GROUP - 2  # the reset above was one text more
            length = min(simulator.prompt_set.reference_lengths[sample], 5)
            tokens = simulator.prompt_set.reference_ids[sample, :length].tolist()
            if kind == "random" or not compared:
                tokens = generator.choice(writable[writable != 2], length).tolist()
            total, seen = 0.0, False
            for token in [*tokens, 2]:
                *_, info = env.step(token)
                total += info["observed_signals"][0]
                seen |= bool(info["observed_mask"][0])
            if compared and seen:
                observed.append(total)
        means[kind] = np.mean(observed) if observed else np.nan
    if np.isnan(means["reference"]):
        assert load_component("annotators", name).external
    else:
        assert means["reference"] > means["random"]


def test_every_kind_has_components():
    assert all(textgym.components(kind) for kind in COMPONENTS)
