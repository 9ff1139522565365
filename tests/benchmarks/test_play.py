"""Playing by lines from a pipe: what is shown, what is written, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import gymnasium
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from benchmarks.cli import app
from benchmarks.play import MOST_WORDS, Game

COPY, DIALOGUE, DOCSTRING = "textgym/Copy-v0", "textgym/Dialogue-v0", "textgym/Docstring-v0"
TAXI = "take the booking. user: hello, I am looking for a taxi at seven."


def play(env_id: str, *lines: str, options: tuple[str, ...] = ()) -> Result:
    return CliRunner().invoke(app, ["play", env_id, *options], input="".join(f"{line}\n" for line in lines))


def prompt_of(told: Result) -> str:
    """Returns the first prompt that was shown."""
    return told.output.split("prompt ")[1].split("\n")[1]


def test_a_right_text_earns_full_gold_token_by_token() -> None:
    letters = prompt_of(play(COPY)).split()
    told = play(COPY, *letters, "", "/quit")
    assert told.exit_code == 0
    assert told.output.startswith("Repeat the prompt, token by token, then end the text.\n")
    earned = re.findall(r"^  (\S+) +token_match (\S+), observed (\S+); reward (\S+)$", told.output, re.MULTILINE)
    assert [token for token, *_ in earned] == [*letters, "<end>"]
    assert {values for _, *values in map(list, earned) for values in values} == {"0.167"}
    assert "reward 1.000, gold 1.000 (ended)" in told.output
    assert f"reference: {' '.join(letters)}\n" in told.output


def test_data_of_ones_own_are_played(tmp_path: Path) -> None:
    rows = [{"question": f"What is {n} plus one?", "answer": f"{n + 1}."} for n in range(60)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    given = {"data": str(tmp_path / "rows.jsonl"), "prompt": "{question}", "reference": "{answer}"}
    told = play(
        "textgym/Dataset-v0", "/quit", options=tuple(f"--argument={key}={value}" for key, value in given.items())
    )
    assert told.exit_code == 0, told.output
    assert "plus one" in prompt_of(told).lower()


def test_many_words_at_once_are_the_same_text() -> None:
    letters = prompt_of(play(COPY)).split()
    one, many = (play(COPY, *lines, "/end") for lines in (letters, [" ".join(letters)]))
    assert one.output.split("clean  observed")[1] == many.output.split("clean  observed")[1]


def test_every_signal_is_shown_clean_and_observed() -> None:
    feedback = [{"name": "rating", "metric": "gold", "bias": 1.0, "levels": 3, "weight": 2}, "exact_match"]
    told = play(COPY, "", options=("--feedback", json.dumps(feedback)))
    rows = [line.split() for line in told.output.split("clean  observed  weight")[1].splitlines()[1:4]]
    assert rows == [
        ["rating:gold", "0.000", "1.000", "2"],
        ["exact_match", "0.000", "0.000", "1"],
        ["return", "0.000", "2.000"],
    ]
    assert "reward 2.000, gold 0.000 (ended)" in told.output


def test_what_was_not_observed_is_no_zero() -> None:
    feedback = [{"name": "rating", "metric": "gold", "noise": [{"name": "dropout", "seen": 1e-9}]}]
    told = play(COPY, "", options=("--feedback", json.dumps(feedback)))
    assert re.search(r"^rating:gold +0.000 +- +1 *$", told.output, re.MULTILINE)


def test_an_unknown_word_is_one_line_with_a_suggestion_and_the_text_goes_on() -> None:
    sample = str(sample_of(TAXI))
    told = play(DIALOGUE, "witch day?", "which day?", options=("--sample", sample))
    (line,) = [line for line in told.output.splitlines() if "witch" in line and not line.startswith(">")]
    assert line == "not in the vocabulary of 134 words: witch (did you mean 'which'?)"
    assert told.output.splitlines()[-1] == "agent: which day?"


def test_a_dialogue_is_played_turn_by_turn() -> None:
    turns = ["which day?", "", "how many", "people?", "", "shall I book it?", ""]
    turns += ["booked: a taxi for four on Monday at noon.", "", "/quit"]
    told = play(DIALOGUE, *turns, options=("--sample", str(sample_of(TAXI)))).output
    assert TAXI in told
    said = [line for line in told.splitlines() if line.startswith(("agent: ", "user: "))]
    assert [line for line in said if line.startswith("agent: ")] == [
        "agent: which day?", "agent: how many", "agent: how many people?", "agent: shall I book it?",
        "agent: booked: a taxi for four on Monday at noon.",
    ]  # fmt: skip
    assert [line.split(":")[0] for line in said] == [
        "agent",
        "user",
        "agent",
        "agent",
        "user",
        "agent",
        "user",
        "agent",
    ]
    assert "gold 1.000 (ended)" in told
    assert [line for line in told.splitlines() if line.startswith("reference: ")] == [
        "reference: which day?", "reference: how many people?", "reference: shall I book it?",
        "reference: booked: a taxi for four on Monday at noon.",
    ]  # fmt: skip


def sample_of(prompt: str) -> int:
    simulator = gymnasium.make(DIALOGUE).unwrapped.simulator  # type: ignore[attr-defined]
    return [simulator.vocabulary.decode(ids) for ids in simulator.prompt_set.prompt_ids].index(prompt)


def test_words_that_go_on_with_real_text_stand_apart() -> None:
    told = play(DOCSTRING, "Return the", "name", ".", "/next")
    assert "\nReturn the\n" in told.output
    assert "\nReturn the name\n" in told.output
    assert "\nReturn the name.\n" in told.output


def test_words_lists_what_may_come_next() -> None:
    told = play(DIALOGUE, "/words", "which", "/words", "booked: a", "/words ta", "/words x", "").output
    assert "booked  for  shall  is  which  on  what  at  how\n" in told
    assert "> /words\nday\n" in told
    assert "'booked' does not belong here; /words lists what does" in told
    assert "> /words x\nno word; or the end\n" in told
    told = play(DOCSTRING, "/words", "/words Retur").output
    listed, more = told.split("> /words\n")[1].split("\n")[0].split("  and ")
    assert len(listed.split("  ")) == MOST_WORDS
    assert re.fullmatch(r"\d+ more; /words THE lists those that begin with THE; or the end", more)
    assert "> /words Retur\nReturn" in told


def test_an_empty_line_ends_nothing_where_no_end_belongs() -> None:
    told = play(DIALOGUE, "", "which", "", "/end", "/end").output
    assert told.count("it cannot end here; /words lists what may come next, /end ends it all the same") == 2
    assert "\nuser: " in told
    assert told.count("gold 0.000 (ended)") == 1


def test_tab_completes_words() -> None:
    game = Game(gymnasium.make(DIALOGUE).unwrapped, Console(), input, seed=0, sample=None)  # type: ignore[arg-type]
    assert [game.complete("mus", number) for number in range(2)] == ["museum", None]


def test_undo_takes_back_the_last_line_and_its_answer() -> None:
    turns = ["/undo", "which day?", "?", "/undo", "", "which", "", "/end", "/undo", "/undo", "/undo"]
    turns += ["how many people?", "", "which day?", "", "shall I book it?", ""]
    turns += ["booked: a taxi for four on Monday at noon.", "", "/quit"]
    told = play(DIALOGUE, *turns, options=("--sample", str(sample_of(TAXI)))).output
    assert "> /undo\nnothing is written yet\n" in told
    assert "'?' does not belong here; /words lists what does, /undo takes it back" in told
    assert "> /undo\nagent: which day?\n" in told
    assert "gold 1.000 (ended)" in told


def test_commands() -> None:
    told = play(COPY, "/help", "/wrods", "a b", "/next", "", "", "/next").output
    assert "/next   leaves this text for another prompt" in told
    assert "unknown command '/wrods' (did you mean '/words'?); known: /end, /words, /undo, /next, /quit, /help" in told
    assert told.count("\nprompt ") == 4  # the first, one by /next, and twice another after an end
    assert told.count("gold ") == 1


def test_the_budget_ends_a_text_and_what_is_typed_after_it_is_not_written() -> None:
    told = play(COPY, "a a a a a a a a").output
    assert told.count("token_match") == 6 + 1
    assert "(the budget of tokens is used up)" in told


def test_seed_sample_split_and_difficulty_are_chosen() -> None:
    told = play(COPY, options=("--sample", "7", "--split", "test", "--difficulty", "medium")).output
    assert "prompt 7 of the 128 of test\n" in told
    assert len(told.splitlines()[-1].split()) == 10
    assert play(COPY, "a").output == play(COPY, "a").output != play(COPY, "a", options=("--seed", "1")).output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["textgym/Nope-v0"], "unknown environment"),
        ([COPY, "--sample", "9999"], "a sample must be 0 to 767 in the train split"),
        ([COPY, "--difficulty", "huge"], "difficulty of the task 'copy' must be one of easy, medium, hard, got 'huge'"),
        ([COPY, "--feedback", "[1"], "--feedback must be JSON, got '[1'"),
        ([COPY, "--feedback", '["rouge"]'], "unknown signal 'rouge'"),
    ],
)
def test_bad_options_are_one_line_and_exit_code_2(options: list[str], message: str) -> None:
    found = CliRunner().invoke(app, ["play", *options])
    assert found.exit_code == 2
    assert message in found.stderr
    assert found.stderr.count("\n") == 1
