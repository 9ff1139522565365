"""Fairness: hand-worked gaps, gaps that are planted and found, and none where there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.evaluation import Evaluation, evaluate, make_env
from benchmarks.fairness import counterfactual, fairness, print_fairness
from benchmarks.gaps import demographic_parity, equalised_odds, largest_gap
from benchmarks.groupings import groups_of
from benchmarks.policies import Observations

SUMMARIZE = "textgym/Summarize-v0"


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_gap_by_hand() -> None:
    """Means 2, 5 and 3."""
    gap = largest_gap([1.0, 3.0, 5.0, 5.0, 3.0, 3.0], ["a", "a", "b", "b", "c", "c"], generator=generator())
    assert (gap.best, gap.worst, gap.interval.estimate) == ("b", "a", 3.0)


def test_the_p_value_is_that_of_all_permutations() -> None:
    """Of the 20 ways to choose three of six, two make the gap 1: p = 0.1, of both signs."""
    gap = largest_gap([0, 0, 0, 1, 1, 1], list("aaabbb"), generator=generator(), resamples=20_000)
    assert gap.p_value == pytest.approx(0.1, abs=0.01)
    assert (gap.interval.estimate, gap.interval.low, gap.interval.high) == (1.0, 1.0, 1.0)


def test_prompts_are_drawn_within_their_group_and_seeds_for_all_groups() -> None:
    """Where group b earns 1 more with either seed, the gap is always 1; where it depends on the seed, the gap does."""
    values = np.array([[0.0, 0.0, 1.0, 1.0], [2.0, 2.0, 3.0, 3.0]])
    gap = largest_gap(values, list("aabb"), generator=generator())
    assert (gap.interval.low, gap.interval.high) == (1.0, 1.0)
    seeds = largest_gap(
        [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 3.0, 3.0]], list("aabb"), generator=generator(), confidence=0.6
    )
    assert (seeds.interval.estimate, seeds.interval.low, seeds.interval.high) == (2.0, 1.0, 3.0)
    mixed = largest_gap([[0.0, 1.0, 5.0, 5.0]], list("aabb"), generator=generator(), confidence=0.4)
    assert (mixed.interval.low, mixed.interval.high) == (4.5, 4.5)  # of 4, 4.5 and 5 with chances 1/4, 1/2, 1/4
    wide = largest_gap([[0.0, 1.0, 5.0, 5.0]], list("aabb"), generator=generator(), confidence=0.6)
    assert (wide.interval.low, wide.interval.high) == (4.0, 5.0)


def test_parity_and_odds_by_hand() -> None:
    """Group a: 3 of 4 accepted, both right ones and 1 of 2 wrong. Group b: 1 of 4, 1 of 3 right ones, no wrong one."""
    groups = list("aaaabbbb")
    decisions = [1, 1, 1, 0, 1, 0, 0, 0]
    truths = [1, 1, 0, 0, 1, 1, 1, 0]
    assert demographic_parity(decisions, groups, generator=generator()).interval.estimate == pytest.approx(0.5)
    odds = equalised_odds(decisions, truths, groups, generator=generator())
    assert {y: gap.interval.estimate for y, gap in odds.items()} == pytest.approx({1: 1 - 1 / 3, 0: 0.5})
    perfect = equalised_odds(truths, truths, groups, generator=generator())
    assert [gap.interval.estimate for gap in perfect.values()] == [0.0, 0.0]
    assert demographic_parity(truths, groups, generator=generator()).interval.estimate == pytest.approx(0.25)
    assert set(equalised_odds(decisions, [1, 1, 0, 0, 1, 1, 1, 1], groups, generator=generator())) == {1}


def test_what_is_planted_is_found() -> None:
    noise = generator(1).normal(size=300)
    groups = generator(2).choice(["a", "b", "c"], size=300)
    gap = largest_gap(noise + 0.8 * (groups == "b"), list(groups), generator=generator())
    assert (gap.best, gap.p_value < 0.01) == ("b", True)
    assert gap.interval.low > 0.3


def test_odds_are_equal_where_only_the_base_rates_differ() -> None:
    """Two groups of 100, of whose texts .05 and .8 are right; each right one is accepted at .7, whoever's it is."""
    suspected, groups = 0, ["a"] * 100 + ["b"] * 100
    for seed in range(300):
        chance = generator(seed)
        truths = chance.random(200) < np.repeat([0.05, 0.8], 100)
        decisions = chance.random(200) < np.where(truths, 0.7, 0.2)
        gaps = equalised_odds(decisions, truths, groups, generator=chance)
        suspected += 1 in gaps and gaps[1].p_value < 0.05
    assert suspected <= 300 * 0.05 + 3 * np.sqrt(300 * 0.05 * 0.95)


def test_where_there_is_none_none_is_found() -> None:
    """Of 200 fair policies about 5 % are suspected at 5 %, although there are 15 pairs of groups."""
    suspected = 0
    for seed in range(200):
        draws = generator(1000 + seed)
        groups = draws.choice(list("abcdef"), size=90).tolist()
        suspected += largest_gap(draws.random(90), groups, generator=draws, resamples=199).p_value <= 0.05
    assert 2 <= suspected <= 19  # 10 expected, three deviations of sqrt(200 * .05 * .95)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: largest_gap([1.0, 2.0], ["a", "a"], generator=generator()), "at least two groups, got a"),
        (lambda: largest_gap([1.0, 2.0], ["a"], generator=generator()), "must be of one shape"),
        (lambda: demographic_parity([0.5, 1], ["a", "b"], generator=generator()), "decisions must be 0 or 1, got 0.5"),
        (
            lambda: largest_gap([1.0, 2.0], ["a", "b"], where=[1, 0], generator=generator()),
            "needs two groups with texts that count, got 1",
        ),
    ],
)
def test_bad_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- groups


def test_groups_by_length_are_thirds_that_never_part_equal_lengths() -> None:
    simulator = make_env(SUMMARIZE, num_rows=1, split="test").simulator
    groups = groups_of("length", simulator, 500)
    lengths = simulator.prompt_set.prompt_lengths[:500] - 1
    for length in np.unique(lengths):
        assert len({group for group, own in zip(groups, lengths, strict=True) if own == length}) == 1
    for group in set(groups):
        low, _, high, _ = group.split()
        own = lengths[np.array(groups) == group]
        assert (own.min(), own.max()) == (int(low), int(high))
    assert len(set(groups)) == 3
    assert set(groups_of("length", make_env("textgym/Copy-v0", num_rows=1).simulator, 9)) == {"5 to 5 tokens"}


def test_groups_by_words_and_by_what_the_task_knows() -> None:
    simulator = make_env(SUMMARIZE, num_rows=1, split="test").simulator
    texts = [simulator.vocabulary.decode(ids.tolist()) for ids in simulator.prompt_set.prompt_ids[:200]]
    for text, group in zip(texts, groups_of("words:Leeds,friends", simulator, 200), strict=True):
        expected = "+".join(word for word in ("Leeds", "friends") if word in text.replace(".", " ").split())
        assert group == (expected or "none of them")
    sides = groups_of("group_words", simulator, 200)
    assert {"he, his, ...", "she, her, ..."} < set(sides)
    for text, side in zip(texts, sides, strict=True):
        if side == "she, her, ...":
            assert not {"his", "him", "he"} & set(text.replace(".", " ").split())
    story = make_env("textgym/Story-v0", num_rows=1, split="test").simulator
    assert groups_of("wish.tone", story, 30) == [wish.tone for wish in story.prompt_set.data["wish"][:30]]
    assert groups_of("hops", make_env("textgym/KnowledgeQA-v0", num_rows=1).simulator, 3)[0].isdecimal()
    for by, message in (
        ("tone", "known here are length, .*, wish, names"),
        ("wish.ton", "no 'ton'"),
        ("words:", "no word"),
    ):
        with pytest.raises(ValueError, match=message):
            groups_of(by, story, 3)


# --- a policy


def made(gold: np.ndarray[Any, Any], observed: np.ndarray[Any, Any]) -> Evaluation:
    found = evaluate("random", "textgym/Copy-v0", episodes=len(gold))
    return replace(found, texts=replace(found.texts, gold_return=gold, observed_return=observed))


def test_a_report_has_means_accuracy_and_the_criteria_of_acceptance() -> None:
    gold = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0])
    report = fairness(made(gold, np.array([1, 1, 1, 0, 1, 0, 0, 0.0])), list("aaaabbbb"))
    assert (report.groups, report.counts) == (["a", "b"], [4, 4])
    assert [one.estimate for one in report.means["accuracy"]] == [0.5, 0.75]
    assert {name: gap.interval.estimate for name, gap in report.gaps.items() if "accept" in name} == pytest.approx(
        {"accepted": 0.5, "accepted if right": 2 / 3, "accepted if wrong": 0.5}
    )
    assert fairness(made(gold, np.array([1, 1, 1, 0, 1, 0, 0, 0.0])), list("aaaabbbb")) == report
    many = made(gold * 0.6, np.linspace(0, 1, 8))
    assert not any("accept" in name for name in fairness(many, list("aaaabbbb")).gaps)
    barred = fairness(many, list("aaaabbbb"), bar=0.6, accepted_at=0.5)
    assert [one.estimate for one in barred.means["accuracy"]] == [0.5, 0.75]
    assert barred.gaps["accepted"].interval.estimate == 1.0
    console = Console(width=150, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_fairness(report, "half", console)
    assert "accepted if wrong" in console.export_text()


def test_an_unfair_policy_is_found_and_a_fair_one_is_not() -> None:
    """A policy that writes the summary only where the prompt speaks of women."""
    simulator = make_env(SUMMARIZE, num_rows=1, split="test").simulator
    groups = groups_of("group_words", simulator, 200)
    right, wrong = evaluate("reference", SUMMARIZE, episodes=200), evaluate("random", SUMMARIZE, episodes=200)
    favoured = np.array([group == "she, her, ..." for group in groups])
    texts = replace(
        right.texts, gold_return=np.where(favoured, right.texts.gold_return, wrong.texts.gold_return)
    )  # fmt: skip
    gap = fairness(replace(right, texts=texts), groups).gaps["gold_return"]
    assert gap.best == "she, her, ..."
    assert gap.p_value < 0.001
    assert gap.interval.low > 0.9
    assert fairness(wrong, groups).gaps["gold_return"].p_value > 0.05


def partial(observations: Observations) -> np.ndarray[Any, Any]:
    """Repeats the prompt's tokens from the ninth on, whoever they are about."""
    ids, lengths = observations["input_ids"], observations["attention_mask"].sum(axis=1)
    prompts = (ids == 1).argmax(axis=1)
    written = lengths - prompts - 1
    return np.where(written < 8, ids[np.arange(len(ids)), np.minimum(written + 4, prompts)], 2)


def test_a_policy_that_copies_is_counterfactually_fair_and_one_that_looks_is_not() -> None:
    fair = counterfactual(partial, SUMMARIZE, episodes=100)
    assert fair is not None
    assert (fair.prompts > 80, fair.change.estimate, fair.absolute.estimate) == (True, 0.0, 0.0)
    vocabulary = make_env(SUMMARIZE, num_rows=1).simulator.vocabulary
    hers = vocabulary.tokens.index("her")

    def partisan(observations: Observations) -> np.ndarray[Any, Any]:
        ids = observations["input_ids"]
        start = (ids == 1).argmax(axis=1)
        mentioned = ((ids == hers) & (np.arange(ids.shape[1]) < start[:, None])).any(axis=1)
        return np.where(mentioned, partial(observations), 2)

    unfair = counterfactual(partisan, SUMMARIZE, episodes=100)
    assert unfair is not None
    assert unfair.absolute.low > 0.02
    assert counterfactual("random", "textgym/Copy-v0", episodes=10) is None
    with pytest.raises(ValueError, match="Story keeps wish, names of its prompts"):
        counterfactual("random", "textgym/Story-v0")


def test_the_command_line_compares_groups() -> None:
    call = ["evaluate", "reference", "textgym/Story-v0", "--episodes", "60", "--by", "wish.tone"]
    told = CliRunner().invoke(app, call)
    assert told.exit_code == 0, told.output
    assert "largest gap" in told.output
    for by, message in (
        ("tone", "no grouping 'tone': known here are length"),
        ("words:zebra", "into one group, 'none of"),
    ):
        refused = CliRunner().invoke(app, [*call[:-1], by])
        assert refused.exit_code == 2
        assert message in refused.stderr
