"""The chat judge against a real server on this machine, which also misbehaves."""

import json
import os
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import gymnasium
import numpy as np
import pytest

import textgym  # noqa: F401  registers the environments
from textgym.annotators.base import Question
from textgym.annotators.chat_judge import ChatJudge
from textgym.annotators.parts.chat_client import LONGEST_WAIT
from textgym.annotators.parts.chat_request import ChatError
from textgym.metrics.rouge_l import RougeL
from textgym.random import Address
from textgym.tasks.copy import Copy
from textgym.transition import Transition

LEVELS = 5


def completion(content, **usage):
    body = {"choices": [{"message": {"role": "assistant", "content": content}}], "usage": usage}
    return 200, {}, json.dumps(body)


def verdict(score, reason="because"):
    text = json.dumps({"reason": reason, "score": score})
    return completion(text, prompt_tokens=100, completion_tokens=10)


class Judge(ThreadingHTTPServer):
    """Answers each request with the next reply of its script, then for ever with the last.

    A reply is (status, headers, body), "cut", which closes the connection half way, seconds to wait before a good
    answer, or a function from the request, as data, to a reply.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.received, self.headers, self.times = [verdict(3)], [], [], []
        self.lock, self.busy, self.busiest = threading.Lock(), 0, 0
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1  # buffered: headers and body in one packet

    def do_POST(self):
        judge = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with judge.lock:
            judge.times.append(time.monotonic())
            judge.received.append(body)
            judge.headers.append(dict(self.headers, path=self.path))
            reply = judge.script.pop(0) if len(judge.script) > 1 else judge.script[0]
            judge.busy += 1
            judge.busiest = max(judge.busiest, judge.busy)
        with suppress(BrokenPipeError, ConnectionResetError):  # the client was tired of waiting
            self.reply(reply(body) if callable(reply) else reply)
        with judge.lock:
            judge.busy -= 1

    def reply(self, reply):
        trickle = reply == "trickle"
        if isinstance(reply, float):
            time.sleep(reply)
        cut = reply == "cut"
        status, headers, text = verdict(3) if cut or trickle or isinstance(reply, float) else reply
        self.send_response(status)
        for name, value in {"Content-Length": len(text), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for part in text if trickle else [text[: len(text) // 2] if cut else text]:
            self.wfile.write(part.encode())
            self.wfile.flush()
            time.sleep(0.05 * trickle)
        self.close_connection = cut

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Judge() as judge:
        threading.Thread(target=judge.serve_forever, args=(0.01,), daemon=True).start()
        yield judge
        judge.shutdown()


@pytest.fixture(scope="module")
def task():
    return Copy()


def question(task, texts, readings=1):
    """Asks about texts, which are words, for the first prompts."""
    prompt_set = task.prompt_set("train")
    n = len(texts)
    ids = [task.vocabulary.encode(text) for text in texts]
    lengths = np.array([len(row) for row in ids])
    padded = np.array([row + [0] * (max(lengths) - len(row)) for row in ids])
    transition = Transition.before(prompt_set, np.arange(n)).with_texts(padded, lengths)
    who = np.tile(np.arange(readings), (n, 1))
    return Question(transition, np.zeros((n, readings)), who, Address.first(n), lambda other: np.zeros((n, readings)))


def judge(task, server, **arguments):
    settings = {"timeout": 5.0, "retries": 2, "backoff": 0.001, "levels": LEVELS, **arguments}
    return ChatJudge(RougeL(task), server.url, "small", **settings)


def patience(reply):
    """Returns seconds that are too few for replies that are to be too slow, and ample for the others."""
    return 0.3 if reply in (BAD["too slow"], "trickle") else 5.0


def words(task, count):
    return list(task.vocabulary.tokens[3 : 3 + count])


def test_it_reads_prompt_and_text_and_gives_levels_as_numbers(task, server):
    texts = words(task, 3)
    scores = {text: score for score, text in enumerate(texts, 2)}  # 2, 3, 4
    server.script = [lambda body: verdict(scores[json.loads(body["messages"][1]["content"])["text"]])]
    answer = judge(task, server, rubric="From 1 to {levels}.").answer(question(task, texts))
    np.testing.assert_array_equal(answer.annotation["level"], [[2], [3], [4]])
    np.testing.assert_allclose(answer.readings, [[0.25], [0.5], [0.75]])
    assert answer.annotation["reason"].tolist() == [["because"]] * 3
    body = next(body for body in server.received if texts[0] in body["messages"][1]["content"])
    prompts = task.prompt_set("train")
    prompt = task.vocabulary.decode(prompts.prompt_ids[0, : prompts.prompt_lengths[0]])
    assert json.loads(body["messages"][1]["content"]) == {"prompt": prompt, "text": texts[0]}
    assert body["messages"][0]["content"].startswith("From 1 to 5.")
    schema = body["response_format"]["json_schema"]["schema"]["properties"]
    assert schema["score"]["enum"] == [1, 2, 3, 4, 5]
    assert (body["model"], body["temperature"]) == ("small", 1.0)
    assert server.headers[0]["path"] == "/v1/chat/completions"


def test_the_reference_and_the_form_of_the_answer_are_choices(task, server):
    asked = question(task, words(task, 1))
    judge(task, server, with_reference=True, answer_format="json_object").answer(asked)
    judge(task, server, answer_format="text").answer(asked)
    first, second = server.received
    prompts = task.prompt_set("train")
    reference = task.vocabulary.decode(prompts.reference_ids[0, : prompts.reference_lengths[0]])
    assert json.loads(first["messages"][1]["content"])["reference"] == reference
    assert first["response_format"] == {"type": "json_object"}
    assert "response_format" not in second


@pytest.mark.parametrize(
    "text",
    ['{"score": 4}', '```json\n{"score": 4.0, "reason": "x"}\n```', 'I think: {"reason": "a {b} c", "score": 4}.'],
)
def test_an_answer_may_stand_among_words(task, server, text):
    assert judge(task, server).read(text).level == 4


BAD = {
    "bad JSON from the server": (200, {}, "<html>oops"),
    "not a completion": (200, {}, '["choices"]'),
    "empty choices": (200, {}, '{"choices": []}'),
    "a refusal": completion(None, prompt_tokens=100),
    "usage beyond all numbers": (
        200,
        {},
        completion('{"score": 2}')[2].replace('"usage": {}', '"usage": {"prompt_tokens": 1e999}'),
    ),
    "nesting without end": (200, {}, "[" * 100_000),
    "nesting without end from the model": completion('{"score": ' + "[" * 100_000 + "}"),
    "bad JSON from the model": completion('{"score": 4'),
    "no JSON from the model": completion("four stars"),
    "wrong schema": completion('{"rating": 4}'),
    "words for a number": verdict("4"),
    "a truth for a number": verdict(True),
    "half a level": verdict(3.5),
    "score too high": verdict(LEVELS + 1),
    "score too low": verdict(0),
    "server error": (500, {}, "oops"),
    "overloaded": (503, {"Retry-After": "0.01"}, "oops"),
    "rate limit": (429, {"Retry-After": "0.01"}, "slow down"),
    "a date to wait for": (429, {"Retry-After": formatdate(0)}, "slow down"),
    "a date after all dates": (429, {"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 +0000"}, "slow down"),
    "a header that says nothing": (429, {"Retry-After": "soon"}, "slow down"),
    "cut connection": "cut",
    "too slow": 0.5,
    "a trickle": "trickle",
}


@pytest.mark.parametrize("reply", BAD.values(), ids=BAD)
def test_what_goes_wrong_is_tried_again(task, server, reply):
    server.script = [reply, verdict(2)]
    patient = judge(task, server, timeout=patience(reply))
    np.testing.assert_array_equal(patient.answer(question(task, words(task, 1))).readings, [[0.25]])
    assert (patient.usage.requests, patient.usage.failed) == (2, 0)


@pytest.mark.parametrize("reply", BAD.values(), ids=BAD)
def test_what_stays_wrong_is_skipped_with_one_warning(task, server, reply):
    server.script = [verdict(5), reply]
    tired = judge(task, server, retries=0, timeout=patience(reply), max_concurrency=1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        answer = tired.answer(question(task, words(task, 2)))
        tired.answer(question(task, words(task, 1)))
    assert np.isnan(answer.readings).tolist() == [[False], [True]]
    assert answer.annotation["level"].tolist() == [[5], [0]]
    assert answer.annotation["reason"].tolist() == [["because"], [""]]
    assert ["the chat judge gave no answer" in str(warning.message) for warning in told] == [True]
    assert (tired.usage.requests, tired.usage.failed) == (3, 2)


def test_an_error_can_be_raised_after_the_others_are_kept(task, server, tmp_path):
    server.script = [(500, {}, "oops"), verdict(4)]
    strict = judge(task, server, retries=0, on_error="raise", cache=str(tmp_path), max_concurrency=1)
    with pytest.raises(ChatError, match="status 500: oops"):
        strict.answer(question(task, words(task, 2)))
    again = strict.answer(question(task, words(task, 2)))
    np.testing.assert_array_equal(again.annotation["level"], [[4], [4]])
    assert (strict.usage.requests, strict.usage.cached) == (3, 1)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
def test_what_cannot_get_better_is_not_tried_again(task, server, status):
    server.script = [(status, {}, "no such model")]
    with pytest.raises(ChatError, match=f"status {status}: no such model"):
        judge(task, server, on_error="raise").answer(question(task, words(task, 1)))
    assert len(server.received) == 1


def test_a_server_is_left_alone_for_as_long_as_it_asks(task, server):
    server.script = [(429, {"Retry-After": "0.3"}, ""), verdict(1)]
    judge(task, server).answer(question(task, words(task, 1)))
    assert server.times[1] - server.times[0] >= 0.3
    server.script = [(429, {"Retry-After": str(LONGEST_WAIT + 1)}, ""), verdict(1)]
    with pytest.raises(ChatError, match="status 429"):
        judge(task, server, on_error="raise").answer(question(task, words(task, 1)))


def test_waits_double_with_jitter(task, server, monkeypatch):
    waits = []
    monkeypatch.setattr("textgym.annotators.parts.chat_client.sleep", waits.append)
    server.script = [(500, {}, "oops")]
    with pytest.warns(UserWarning, match="status 500"):
        judge(task, server, retries=4, backoff=0.5, max_concurrency=1).answer(question(task, words(task, 8)))
    shares = np.array(waits).reshape(8, 4) / (0.5 * 2.0 ** np.arange(4))
    assert ((shares >= 0.5) & (shares < 1)).all()
    assert len(np.unique(shares)) == shares.size


def test_no_server_is_no_answer(task, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    alone = ChatJudge(RougeL(task), **ChatJudge.example)
    with pytest.warns(UserWarning, match="ConnectError"):
        assert np.isnan(alone.answer(question(task, words(task, 4), readings=2)).readings).all()


def test_concurrency_is_bounded(task, server):
    server.script = [0.1]
    judge(task, server, max_concurrency=3).answer(question(task, words(task, 9)))
    assert server.busiest == 3


def test_readings_have_their_own_seeds_and_equal_requests_are_one(task, server):
    same = words(task, 1)[0]
    asked = question(task, [same, same], readings=3)
    asked.transition.samples[1] = 0
    asked.transition.input_ids[1] = asked.transition.input_ids[0]
    asked.transition.lengths[1] = asked.transition.lengths[0]
    server.script = [lambda body: verdict(1 + body["seed"] % LEVELS)]
    asker = judge(task, server)
    answer = asker.answer(asked)
    assert len(server.received) == len({body["seed"] for body in server.received}) == 3
    assert len(set(answer.annotation["level"][0])) > 1
    np.testing.assert_array_equal(answer.readings[0], answer.readings[1])
    assert (asker.usage.requests, asker.usage.cached) == (3, 3)


def test_what_is_known_is_not_asked_again(task, server, tmp_path):
    asked = question(task, words(task, 4), readings=2)
    server.script = [lambda body: verdict(1 + (body["seed"] + len(body["messages"][1]["content"])) % LEVELS)]
    first = judge(task, server, cache=str(tmp_path / "new" / "folder"))
    answer = first.answer(asked)
    server.script = [(500, {}, "oops")]
    second = judge(task, server, cache=str(tmp_path / "new" / "folder"), retries=0)
    np.testing.assert_array_equal(second.answer(asked).readings, answer.readings)
    assert (second.usage.requests, second.usage.cached, second.usage.failed) == (0, 8, 0)
    with pytest.warns(UserWarning, match="status 500"):
        judge(task, server, cache=str(tmp_path), retries=0, temperature=0.5).answer(asked)


def test_failures_are_not_kept(task, server, tmp_path):
    server.script = [verdict(LEVELS + 1), verdict(2)]
    asker = judge(task, server, cache=str(tmp_path), retries=0)
    with pytest.warns(UserWarning, match="whole number from 1 to 5, got 6"):
        assert np.isnan(asker.answer(question(task, words(task, 1))).readings).all()
    assert asker.answer(question(task, words(task, 1))).readings == 0.25


SHARING = """
import sys
from textgym.annotators.parts.chat_cache import AnswerCache
with AnswerCache(sys.argv[1]).open() as cache:
    for number in range(60):
        cache.keep(f"{number}", sys.argv[2])
        assert cache.find(f"{number}") in "ab"
"""


def test_two_processes_share_a_cache(tmp_path):
    command = [sys.executable, "-c", SHARING, str(tmp_path)]
    both = [subprocess.Popen([*command, name], stderr=subprocess.PIPE, text=True) for name in "ab"]
    told = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told


def test_it_counts_what_it_cost(task, server):
    server.script = [verdict(LEVELS + 1), verdict(3)]
    asker = judge(task, server, prompt_price=0.5, completion_price=2.0, max_concurrency=1)
    asker.answer(question(task, words(task, 2)))
    assert vars(asker.usage) == {
        "requests": 3, "cached": 0, "failed": 0, "prompt_tokens": 300, "completion_tokens": 30
    }  # fmt: skip
    assert asker.money == pytest.approx(0.3 * 0.5 + 0.03 * 2.0)


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(task, server, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "secret")
    judge(task, server, api_key_env="JUDGE_KEY").answer(question(task, words(task, 1)))
    assert server.headers[0]["Authorization"] == "Bearer secret"
    assert "secret" not in json.dumps(server.received)
    judge(task, server).answer(question(task, words(task, 1)))
    assert "Authorization" not in server.headers[1]
    monkeypatch.setenv("JUDGE_KEY", " from a file\n")
    judge(task, server, api_key_env="JUDGE_KEY").answer(question(task, words(task, 1)))
    assert server.headers[2]["Authorization"] == "Bearer from a file"
    monkeypatch.setenv("JUDGE_KEY", "sec\nret")
    with pytest.raises(ValueError, match="printable ASCII") as refused:
        judge(task, server, api_key_env="JUDGE_KEY")
    assert "ret" not in str(refused.value).replace("Retry", "")
    monkeypatch.delenv("JUDGE_KEY")
    with pytest.raises(ValueError, match="must name an environment variable that holds the key, got 'JUDGE_KEY'"):
        judge(task, server, api_key_env="JUDGE_KEY")


def test_in_an_environment_it_is_an_annotator_like_any_other(task, server):
    server.script = [verdict(4), verdict(2), (401, {}, "who are you?")]
    spec = {"name": "chat_judge", "base_url": server.url, "model": "small", "readings": 2, "max_concurrency": 1}
    env = gymnasium.make("textgym/Copy-v0", feedback=[spec], noise=[])
    env.reset(seed=0)
    info = env.step(task.vocabulary.end_id)[4]
    assert info["annotation"]["chat_judge:gold"]["reason"].tolist() == ["because", "because"]
    assert info["observed_reward"] == 0.5
    assert info["feedback_cost"] == pytest.approx(0.2)
    env.reset()
    with pytest.warns(UserWarning, match="status 401"):
        _, reward, _, _, info = env.step(task.vocabulary.end_id)
    assert (reward, info["observed_mask"].tolist()) == (0.0, [False])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"base_url": "localhost:8000"}, "base_url must begin with http:// or https://, got 'localhost:8000'"),
        ({"base_url": "http://h/v1/chat/completions"}, "what comes before /chat/completions, got 'http://h/v1/chat"),
        ({"levels": 1}, "levels must be at least 2"),
        ({"max_tokens": 0}, "max_tokens at least 1"),
        ({"temperature": -1.0}, "must be at least 0, got -1.0"),
        ({"prompt_price": -0.1}, "must be at least 0"),
        ({"answer_format": "xml"}, "answer_format must be one of json_schema, json_object, text, got 'xml'"),
        ({"on_error": "ignore"}, "on_error must be 'skip' or 'raise', got 'ignore'"),
        ({"timeout": 0.0}, "timeout must be positive"),
        ({"backoff": -1.0}, "backoff at least 0"),
        ({"retries": -1}, "retries must be at least 0"),
        ({"max_concurrency": 0}, "max_concurrency at least 1"),
        ({"cache": os.devnull}, "cache must be a folder that can be written to, got '/dev/null'"),
    ],
)
def test_wrong_values_are_refused(task, arguments, message):
    with pytest.raises(ValueError, match=message):
        ChatJudge(RougeL(task), **{**ChatJudge.example, **arguments})


def test_without_httpx_it_says_what_to_install(task, monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "textgym\[judge\]"'):
        ChatJudge(RougeL(task), **ChatJudge.example)


def test_importing_the_judge_does_not_import_httpx():
    code = "import sys, textgym.annotators.chat_judge; assert 'httpx' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
