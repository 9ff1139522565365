"""DPO: its loss against one written out by hand, whose tokens count, and that pairs improve a policy."""

import math

import gymnasium
import numpy as np
import pytest
import torch

import textgym
from agents.data.compared import Compared
from agents.data.reading import Reader
from agents.data.texts import Texts
from agents.policy import TransformerPolicy
from agents.preference import DPO
from agents.vec_env import make_vec_env
from tests.copying import COPY, SMALL, copy_env, gold, random_texts
from textgym.dataset.comparisons import Comparison, Written, compare_scores
from textgym.tasks.making import make_task

ROWS = [
    {"prompt": "a b c", "chosen": "a b c", "rejected": "d"},
    {"prompt": "b c", "chosen": "b", "rejected": ["c c", "a b c d"]},
]


def make(data=None, **arguments):
    settings = {"policy_kwargs": SMALL, "seed": 0, "validation_share": 0.0, **arguments}
    return DPO(TransformerPolicy, copy_env(), data, **settings)


def log_prob(backbone, prompt, text):
    """Token by token, each after a pass of its own."""
    total = 0.0
    for place in range(len(text)):
        logits = backbone.lm(torch.tensor([prompt + text[:place]])).logits[0, -1]
        total = total + torch.log_softmax(logits, dim=-1)[text[place]]
    return total


def pairs_of(model):
    prompts, texts = model.reader().rows(ROWS, "chosen", "rejected")
    return [(prompt, some[0], worse) for prompt, some in zip(prompts, texts, strict=True) for worse in some[1:]]


@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("loss", ["sigmoid", "conservative", "unbiased"])
def test_the_loss_and_its_gradient_are_those_written_out(loss, per_token):
    eps = 0.0 if loss == "sigmoid" else 0.2
    model = make(ROWS, loss=loss, flip_rate=eps, per_token=per_token, beta=0.5, nll_coef=0.3)
    with torch.no_grad():
        for parameter in model.reference.parameters():  # a reference that differs from the policy
            parameter.add_(0.05 * torch.randn_like(parameter))
    losses = []
    for prompt, chosen, rejected in pairs_of(model):
        sides = []
        for text in (chosen, rejected):
            with torch.no_grad():
                expected = log_prob(model.reference, prompt, text)
            own = log_prob(model.policy.backbone, prompt, text)
            sides.append(((own - expected) / (len(text) if per_token else 1), own / len(text)))
        z = 0.5 * (sides[0][0] - sides[1][0])
        good, bad = -torch.log(torch.sigmoid(z)), -torch.log(torch.sigmoid(-z))
        value = {
            "sigmoid": good,
            "conservative": (1 - eps) * good + eps * bad,
            "unbiased": ((1 - eps) * good - eps * bad) / (1 - 2 * eps),
        }[loss]
        losses.append(value - 0.3 * sides[0][1])
    expected = torch.stack(losses).mean()
    told = model.loss(model.lessons, np.array([0, 1]))
    assert told.count == 3
    torch.testing.assert_close(told.loss, expected, rtol=1e-4, atol=1e-5)
    parameters = list(model.policy.backbone.lm.parameters())
    for one, other in zip(
        torch.autograd.grad(told.loss, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_numbers_by_hand_where_every_token_is_as_likely():
    """Logits of 0 over 7 tokens: log pi = -T log 7; a reference with logits of log 2 for `a` and the end token."""
    model = make(ROWS[:1], beta=0.1)
    for backbone, favoured in ((model.policy.backbone, ()), (model.reference, (2, 3))):
        head = torch.nn.Linear(48, 7)
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        with torch.no_grad():
            head.bias[list(favoured)] = math.log(2)
        backbone.lm.set_output_embeddings(head)
    told = model.loss(model.lessons, np.array([0]))
    own = 4 * -math.log(7), 2 * -math.log(7)  # a b c <end>, and d <end>
    expected = 2 * math.log(2 / 9) + 2 * math.log(1 / 9), math.log(2 / 9) + math.log(1 / 9)
    z = 0.1 * ((own[0] - expected[0]) - (own[1] - expected[1]))
    assert told.loss.item() == pytest.approx(math.log(1 + math.exp(-z)), rel=1e-5)
    assert told.values == pytest.approx(
        {
            "accuracy": 0.0,
            "margin": z,
            "chosen_log_prob": own[0],
            "rejected_log_prob": own[1],
            "chosen_reward": 0.1 * (own[0] - expected[0]),
            "rejected_reward": 0.1 * (own[1] - expected[1]),
        },
        rel=1e-4,
    )


def test_what_the_other_side_says_does_not_count():
    task = make_task("dialogue", size=400)
    env = make_vec_env("textgym/Dialogue-v0", n_envs=1, seed=0, size=400)
    single = gymnasium.make("textgym/Dialogue-v0", size=400)
    single.reset(seed=0)
    simulator = single.unwrapped.simulator

    def follow(_):
        prompts, sample, step = simulator.prompt_set, simulator._samples[0], simulator.steps[0]
        return int(prompts.reference_ids[sample, step]) if step < prompts.reference_lengths[sample] else 2

    record = textgym.collect(single, follow, 1)[0]
    better, worse = Written.of(record), Written(record, "", record.completion_ids[:3])
    model = DPO(TransformerPolicy, env, [Comparison(better, (worse,))], policy_kwargs=SMALL, validation_share=0, seed=0)
    texts = Reader(task, task.max_new_tokens).texts([better])
    assert texts.replies.any()
    tokens = texts.tokens[0, : texts.lengths[0]].tolist()
    log_probs = torch.log_softmax(model.policy.backbone.lm(torch.tensor([tokens])).logits[0], dim=-1)
    own = [place for place in range(int(texts.prompt_lengths[0]), len(tokens)) if not texts.replies[0, place]]
    assert [tokens[place] for place in own] == record.completion_ids
    expected = sum(log_probs[place - 1, tokens[place]].item() for place in own)
    assert model.loss(model.lessons, np.array([0])).values["chosen_log_prob"] == pytest.approx(expected, rel=1e-4)


def test_the_reference_is_the_policy_when_learning_begins_and_stays(monkeypatch):
    model = make(ROWS)
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.mul_(1.5)
    seen, passes = [], []
    original = model.reference.hidden
    monkeypatch.setattr(
        model.reference, "hidden", lambda *args, **kwargs: passes.append(0) or original(*args, **kwargs)
    )

    def watch(own, _):
        seen.append(torch.cat([p.flatten() for p in model.reference.parameters()]).clone())
        return True

    start = torch.cat([p.detach().flatten() for p in model.policy.backbone.parameters()]).clone()
    model.learn(200, callback=watch)
    assert all(torch.equal(one, start) for one in seen)
    assert len(seen) > 5
    assert len(passes) == 1  # its log-probabilities are computed once
    assert not torch.equal(start, torch.cat([p.detach().flatten() for p in model.policy.backbone.parameters()]))


def test_the_reference_may_follow_the_data_or_come_from_a_folder(tmp_path):
    def same(model):
        states = (model.reference.state_dict(), model.policy.backbone.state_dict())
        return all(torch.equal(one, other) for one, other in zip(*(s.values() for s in states), strict=True))

    model = make(ROWS, reference="data")
    model.learn(100)
    assert not same(model)
    model.set_data(ROWS)
    assert same(model)
    model.learn(100, reset_num_timesteps=False)
    assert not same(model)
    model.policy.backbone.save_pretrained(tmp_path)
    fixed = make(ROWS, reference=tmp_path, seed=1)
    before = [part.clone() for part in fixed.reference.parameters()]
    fixed.learn(100)
    kept = zip(before, fixed.reference.parameters(), model.policy.backbone.parameters(), strict=True)
    assert all(torch.equal(one, two) and torch.equal(two, three) for one, two, three in kept)


def test_a_saved_model_keeps_its_reference(tmp_path):
    model = make(ROWS)
    for _ in range(2):  # the second learning begins with weights that no seed gives
        model.learn(100)
    model.save(tmp_path / "model.zip")
    loaded = DPO.load(tmp_path / "model.zip", env=copy_env(), data=ROWS)
    kept = zip(model.reference.parameters(), loaded.reference.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in kept)


def test_a_saved_model_needs_none_of_the_folders_that_it_began_with(tmp_path):
    make(ROWS).policy.backbone.save_pretrained(tmp_path / "start")
    model = make(ROWS, policy_kwargs={"model": str(tmp_path / "start")}, reference=tmp_path / "start").learn(100)
    model.save(tmp_path / "model.zip")
    (tmp_path / "start").rename(tmp_path / "elsewhere")
    loaded = DPO.load(tmp_path / "model.zip", env=copy_env(), data=ROWS)
    for name in ("policy", "reference"):
        kept = zip(getattr(model, name).parameters(), getattr(loaded, name).parameters(), strict=True)
        assert all(torch.equal(one, two) for one, two in kept)


def test_the_training_state_holds_the_reference():
    model, other = make(ROWS), make(ROWS, seed=1)
    model.learn(100)
    other.set_training_state(model.training_state())
    kept = zip(model.reference.parameters(), other.reference.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in kept)


def test_texts_are_read_once_however_often_they_are_compared():
    """Of a ranking of three, one comparison with two worse texts, one with one."""
    texts = random_texts(8, group_size=4)
    comparisons = compare_scores(texts, lambda record: float(record.episode), margin=0)
    compared = Compared.read(comparisons, Reader(make_task("copy", **COPY), 4))
    assert len(compared.texts) <= 8 < compared.chosen.size + (compared.rejected >= 0).sum()
    numbers, chosen, rejected, known = compared.of_batch(np.arange(len(compared)))
    assert len(numbers) == len(compared.texts)
    for row, (better, worse) in enumerate(comparisons):
        counts = [len(text.ids) for text in (better, *worse)]
        assert (compared.learnt[row], compared.lengths[row]) == (sum(counts), 4 + max(counts))
        for place, text in zip([chosen[row], *rejected[row][known[row]]], (better, *worse), strict=True):
            number = numbers[place]
            own = compared.texts.tokens[number, compared.texts.prompt_lengths[number] : compared.texts.lengths[number]]
            assert own.tolist() == text.ids


def test_pairs_of_annotators_improve_a_policy_on_unseen_prompts():
    feedback = [{"name": "preference", "metric": "rouge_l", "against": "reference", "teacher": "mistake"}]
    texts = random_texts(96, feedback=feedback, noise=[])
    model = make(texts, beta=0.1, loss="conservative", flip_rate=0.1, learning_rate=3e-3, batch_size=16)
    before = gold(model)
    model.learn(8_000)
    assert before < 0.25
    assert gold(model) > before + 0.25


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"loss": "hinge"}, "loss must be one of sigmoid, conservative, unbiased, got 'hinge'"),
        ({"beta": 0.0}, "beta must be positive and nll_coef at least 0, got 0.0 and 0.0"),
        ({"flip_rate": 0.1}, r'flip_rate must be in \[0, 0.5\), and 0 with loss="sigmoid", got 0.1'),
        ({"loss": "unbiased", "flip_rate": 0.5}, "flip_rate must be"),
        ({"data": []}, r"there is no comparison in \[\], 0 ties were left out"),
        ({"data": [{"prompt": "a", "chosen": "b"}]}, "row 0 must have prompt, chosen, rejected, got"),
    ],
)
def test_wrong_arguments_are_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        make(**arguments)


def test_texts_beyond_the_context_are_refused():
    texts = Texts.of_tokens([[3] * 4], [[3] * 30], pad_id=0)
    model = make()
    model.read = lambda data, reader: Compared(texts, np.array([0]), np.array([[0]]))
    with pytest.raises(ValueError, match="a text has 34 tokens with its prompt, but the policy reads 8: make the env"):
        model.set_data(ROWS)
