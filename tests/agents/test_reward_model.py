"""RewardModel finds planted utilities in what noisy people say, and a saved one says the same."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.reward.evaluation import foresee
from agents.reward.judgements import Judgements
from agents.reward.model import RewardModel
from agents.reward.objective import Objective
from agents.reward.training import Schedule
from textgym.tasks.copy import Copy

TASK = Copy(length=5, letters=4)
TINY = {"model_type": "gpt2", "n_layer": 1, "n_embd": 32, "n_head": 2}
WORTH = np.array([-1.5, -0.5, 0.5, 1.5])  # of each letter; a text is worth the sum, of deviation 2.5
FAST = Schedule(learning_rate=1e-3, batch_size=32, max_epochs=12, patience=3)
PROMPTS = ["a b c d a", "d c b a d", "a a a a a", "b c b c b", "c d c d c", "b b a a d", "c c c b b", "d d d c c"]


def texts(count, seed):
    """Random texts of five letters, with their prompts and what they are worth."""
    letters = np.random.default_rng(seed).integers(0, 4, (count, 5))
    spelled = [" ".join("abcd"[letter] for letter in text) for text in letters]
    return [PROMPTS[i % len(PROMPTS)] for i in range(count)], spelled, WORTH[letters].sum(axis=1)


def pairs(count, seed, flips=0.0, sharpness=1.0):
    """Pairs that are labelled by the law of Bradley and Terry, and then turned round with some probability."""
    generator = np.random.default_rng(seed)
    prompts, spelled, worth = texts(2 * count, seed)
    rows = []
    for one in range(count):
        other = one + count
        better = 0.5 + 0.5 * np.tanh(0.5 * sharpness * (worth[one] - worth[other]))
        first = (generator.random() < better) != (generator.random() < flips)
        chosen, rejected = (one, other) if first else (other, one)
        if spelled[one] != spelled[other]:
            rows.append({"prompt": prompts[one], "chosen": spelled[chosen], "rejected": spelled[rejected]})
    return rows


def fitted(rows, schedule=FAST, seed=0, members=1, bootstrap=False, **objective):
    model = RewardModel(TASK, TINY, members=members, bootstrap=bootstrap, objective=Objective(**objective))
    return model, model.fit(rows, generator=np.random.default_rng(seed), schedule=schedule)


def found(model):
    """The correlation of what a model says of new texts with what they are worth."""
    prompts, spelled, worth = texts(400, seed=77)
    return float(np.corrcoef(model.predict(prompts, spelled).mean, worth)[0, 1])


@cache
def from_pairs():
    return fitted(pairs(700, seed=1, sharpness=3.0), members=2)


def test_utilities_are_found_from_pairs():
    model, fit = from_pairs()
    assert found(model) > 0.9
    assert fit.held_out.accuracy > 0.75
    assert fit.held_out.calibration_error < 0.15
    assert fit.held_out.counts.sum() == fit.held_out.pairs == fit.held_out_answers
    assert "accuracy" in str(fit.held_out)


def test_utilities_are_found_from_rankings():
    generator, (_, spelled, worth), rows = np.random.default_rng(0), texts(800, seed=2), []
    for first in range(0, 800, 4):
        best_first = np.argsort(-(worth[first : first + 4] + generator.gumbel(size=4))) + first
        prompt = PROMPTS[first // 4 % len(PROMPTS)]
        rows.append({"prompt": prompt, "completions": list(dict.fromkeys(spelled[i] for i in best_first))})
    model, fit = fitted(rows, schedule=replace(FAST, batch_size=8))
    assert found(model) > 0.8
    assert fit.held_out.pairs > 5 * 30  # a ranking of 4 has 6 pairs


def ratings(count, seed, spread=1.0):
    generator, (prompts, spelled, worth) = np.random.default_rng(seed), texts(count, seed)
    seen = worth + spread * generator.standard_normal(count)
    return [
        {"prompt": prompt, "completion": text, "rating": float(value)}
        for prompt, text, value in zip(prompts, spelled, seen, strict=True)
    ]


@pytest.mark.parametrize("loss", ["ordinal", "classes", "squared", "huber"])
def test_utilities_are_found_from_ratings(loss):
    rows = ratings(500, seed=3)
    if loss in ("ordinal", "classes"):  # five levels
        rows = [{**row, "rating": float(np.digitize(row["rating"], [-3, -1, 1, 3]))} for row in rows]
    model, fit = fitted(rows, ratings=loss)
    assert found(model) > 0.9
    assert fit.held_out.correlation > 0.8


def test_pairs_and_ratings_are_learnt_together():
    rows = [*pairs(250, seed=4), *({**row, "rating": float(row["rating"] > 0)} for row in ratings(250, seed=5))]
    model, fit = fitted(rows)
    assert found(model) > 0.9
    assert fit.held_out.pairs > 0 < fit.held_out.ratings


def test_harsh_and_lenient_people_do_not_shift_texts():
    """The harsh one reads good texts, the lenient one poor texts, and each is found; the texts keep their order."""
    bias, rows = {"harsh": -4.0, "fair": 0.0, "lenient": 4.0}, []
    generator = np.random.default_rng(6)
    for row, worth in zip(ratings(900, seed=6), texts(900, seed=6)[2], strict=True):
        inclined = "harsh" if worth > 0 else "lenient"
        who = inclined if generator.random() < 0.5 else str(generator.choice(list(bias)))
        rows.append({**row, "annotator": who, "rating": row["rating"] + bias[who]})
    own, _ = fitted(rows, ratings="squared", shrinkage=1.0)
    blind, _ = fitted(rows, ratings="squared", shrinkage=float("inf"))
    assert found(own) > 0.95
    assert found(own) > found(blind) + 0.05
    deviation = np.std([row["rating"] for row in rows])
    biases = {name: own.annotators[name][0] * deviation for name in bias}
    assert biases["harsh"] < biases["fair"] - 2 < biases["lenient"] - 4


def clean_loss(model):
    """The mean of -log sigma(margin) over new pairs that nobody has turned round."""
    rows = pairs(600, seed=8)
    prompts = [row["prompt"] for row in rows]
    better, worse = (
        model.utilities(model.reader.read(prompts, [row[name] for row in rows]))[0] for name in ("chosen", "rejected")
    )
    return float(np.logaddexp(0, worse - better).mean())


def test_robust_losses_know_better_under_many_flips():
    """With 30 % of the labels turned round, the plain loss thinks that nothing is surer than 0.7."""
    rows = pairs(1000, seed=7, flips=0.3)
    plain, mixture, unbiased = (
        clean_loss(fitted(rows, **objective)[0])
        for objective in ({}, {"flip_rate": 0.3}, {"comparisons": "unbiased", "flip_rate": 0.3})
    )
    assert mixture < plain - 0.05
    assert unbiased < plain - 0.05


@pytest.mark.parametrize(("conservative", "probability"), [(False, 0.2 + 0.6 * 0.75), (True, (0.75 - 0.2) / 0.6)])
def test_the_probability_of_a_label_is_that_which_the_loss_aims_at(conservative, probability):
    """sigma(z) = 3/4 where a fifth of the labels is turned round."""
    rows = [{"prompt": "a b", "chosen": f"a {letter}", "rejected": "b"} for letter in "abcdefgh"]
    answers = Judgements.of(rows)
    utilities = np.array([0.0 if text == "b" else np.log(3) for text in answers.completions])[None]
    found = foresee(answers, utilities[0], utilities, np.array([0.2]), conservative=conservative)
    assert found.pairs == 8
    assert np.nanmax(found.confidence) == pytest.approx(probability)


@pytest.mark.parametrize("flip_rate", [None, 0.2])
def test_turned_labels_of_what_is_no_pair_are_refused(flip_rate):
    ranked = [{"prompt": "a b", "completions": ["a", "b", "a b"]}] * 2
    for rows in (ratings(20, seed=1), ranked):
        with pytest.raises(
            ValueError, match=f"flip_rate={flip_rate} is about comparisons of two texts, and there are no"
        ):
            fitted(rows, flip_rate=flip_rate)


def test_a_robust_rating_loss_finds_more_among_outliers():
    """A third of the ratings is anything between -40 and 40."""
    generator = np.random.default_rng(9)
    rows = [
        {**row, "rating": float(generator.uniform(-40, 40)) if generator.random() < 0.33 else row["rating"]}
        for row in ratings(500, seed=9)
    ]
    squared, huber = (found(fitted(rows, ratings=loss)[0]) for loss in ("squared", "huber"))
    assert huber > 0.8 > squared + 0.3


@pytest.mark.slow
def test_turned_labels_are_noticed():
    """Of people who else are always right; a close pair explains some turned labels, so not all are counted."""
    never, often = (
        fitted(pairs(800, seed=10, flips=flips, sharpness=50.0), flip_rate=None)[0].flip_rate for flips in (0.0, 0.25)
    )
    assert never < 0.05
    assert 0.07 < often < 0.3


def test_scores_are_standardised_on_the_training_texts():
    model, _ = from_pairs()
    prompts, spelled, _ = texts(1400, seed=1)  # the same texts, of which a fifth was held out
    said = model.predict(prompts, spelled)
    assert said.mean.mean() == pytest.approx(0, abs=0.15)
    assert said.mean.std() == pytest.approx(1, abs=0.15)


def test_members_disagree_and_pessimism_counts_it():
    model, _ = from_pairs()
    said = model.predict(*texts(50, seed=11)[:2])
    assert (said.deviation > 0).all()
    np.testing.assert_allclose(said.pessimistic(2.0), said.mean - 2 * said.deviation)
    standard = (model.utilities(model.reader.read(*texts(50, seed=11)[:2])) - model.means[:, None]).T / model.deviations
    np.testing.assert_allclose(said.mean, standard.mean(axis=1))
    np.testing.assert_allclose(said.deviation, np.abs(standard[:, 0] - standard[:, 1]) / 2)


def test_the_same_generator_gives_the_same_model_and_leaves_torch_alone():
    rows, brief = pairs(60, seed=12), Schedule(max_epochs=1)
    before = torch.get_rng_state()
    one, other, another = (
        fitted(rows, schedule=brief, seed=5, bootstrap=bootstrap)[0].predict(*texts(9, seed=1)[:2]).mean
        for bootstrap in (True, True, False)
    )
    np.testing.assert_array_equal(one, other)
    assert (one != another).all()
    torch.testing.assert_close(torch.get_rng_state(), before)


def test_the_best_epoch_is_kept():
    _, fit = from_pairs()
    for member in fit.members:
        assert member.best_epoch == int(np.argmin(member.validation_losses))
        assert len(member.validation_losses) == len(member.train_losses) + 1


def test_a_loss_that_is_not_finite_stops():
    with pytest.raises(FloatingPointError, match="lower the learning_rate"):
        fitted(ratings(60, seed=1), schedule=Schedule(learning_rate=1e30), ratings="squared")


def test_a_saved_model_says_the_same_to_the_last_bit(tmp_path):
    model, _ = from_pairs()
    model.save(tmp_path)
    again = RewardModel.load(tmp_path, TASK)
    for one, other in zip(model.predict(*texts(70, seed=3)[:2]), again.predict(*texts(70, seed=3)[:2]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.objective == model.objective
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".pt", ".pth", ".pkl", ".bin")]
    again.save(tmp_path / "twice")
    assert (tmp_path / "twice/reward_model.json").read_text() == (tmp_path / "reward_model.json").read_text()


@pytest.mark.parametrize("file", ["reward_model.json", "member-1/head.safetensors", "member-1/model.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_folder_is_a_clear_error(tmp_path: Path, file, damage):
    from_pairs()[0].save(tmp_path)
    path = tmp_path / file
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match="reward model"):
        RewardModel.load(tmp_path, TASK)


def test_settings_that_lack_something_are_a_clear_error(tmp_path):
    from_pairs()[0].save(tmp_path)
    path = tmp_path / "reward_model.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in settings.items() if key != "means"}))
    with pytest.raises(ValueError, match=r"reward_model\.json lacks 'means'"):
        RewardModel.load(tmp_path, TASK)


def test_a_task_with_other_tokens_is_refused(tmp_path):
    from_pairs()[0].save(tmp_path)
    with pytest.raises(ValueError, match="taught with other tokens than Copy's"):
        RewardModel.load(tmp_path, Copy(length=5, letters=5))


@pytest.mark.parametrize(
    ("rows", "objective", "message"),
    [
        (pairs(20, seed=0), {"ratings": "classes"}, "ratings='classes' learns from ratings alone"),
        (ratings(60, seed=0), {}, "60 different ratings, more than 20 levels"),
        ([{**row, "rating": 1} for row in ratings(9, seed=0)], {}, "all 9 ratings are 1"),
        ([{"prompt": "a b z", "chosen": "a", "rejected": "b"}, *pairs(9, seed=0)], {}, "not in the vocabulary"),
    ],
)
def test_answers_that_do_not_suit_the_losses_are_refused(rows, objective, message):
    with pytest.raises(ValueError, match=message):
        fitted(rows, **objective)


def test_before_learning_there_is_nothing_to_say_or_save(tmp_path):
    model = RewardModel(TASK, TINY)
    for call in (lambda: model.predict(["a b"], ["a"]), lambda: model.save(tmp_path)):
        with pytest.raises(ValueError, match="has learnt nothing yet"):
            call()
    with pytest.raises(ValueError, match="members must be at least 1"):
        RewardModel(TASK, TINY, members=0)
