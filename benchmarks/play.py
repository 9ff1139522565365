"""Playing: a person writes the text, word by word, and sees what it earns: `textgym play ENV`."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from textgym.env import TextEnv
from textgym.registration import suggestion
from textgym.rendering import prompt_and_text
from textgym.types import BoolArray, FloatArray
from textgym.vocabulary import SPECIAL_TOKENS, Vocabulary

HELP = {
    "/end": "or an empty line: ends the text, or your turn where somebody answers",
    "/words": "lists what may come next; /words THE what of it begins with THE",
    "/undo": "takes back the last line that was written, and what was answered",
    "/next": "leaves this text for another prompt",
    "/quit": "leaves",
    "/help": "shows this",
}
"""What may be typed beside words."""

MOST_WORDS = 60
"""How many words `/words` lists."""

REASONS = {"stop": "ended", "length": "the budget of tokens is used up", "unsafe": "the guard ended it"}
"""How a text ended, by its `finish_reason`."""


_PUNCTUATION = ".,;:?!)]'"


def play(env_id: str, *, seed: int = 0, sample: int | None = None, **env_kwargs: Any) -> None:
    """Plays in the terminal, or reads lines from a file or a pipe and writes plain ones.

    Args:
        env_id: the environment.
        seed: of all chance.
        sample: the number of the first prompt in its split; None for a random one.
        **env_kwargs: the environment's arguments.
    """
    env = gymnasium.make(env_id, disable_env_checker=True, **env_kwargs).unwrapped
    assert isinstance(env, TextEnv)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    game = Game(env, console, _typed if sys.stdin.isatty() else _piped, seed, sample)
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):  # there is none on Windows
            import readline

            readline.set_completer(game.complete)
            readline.parse_and_bind("tab: complete")
    game.play()


def _typed() -> str:
    return input("> ")


def _piped() -> str:
    line = input()
    print(f"> {line}")
    return line


class Game:
    """One person in one environment.

    Args:
        env: the environment.
        console: where all is shown.
        read: returns the next line that is typed; raises EOFError if there is none.
        seed: of all chance.
        sample: the number of the first prompt in its split; None for a random one.
    """

    def __init__(self, env: TextEnv, console: Console, read: Callable[[], str], seed: int, sample: int | None) -> None:
        self.env, self.console, self.read = env, console, read
        self.simulator = env.simulator
        self._reset: dict[str, Any] = {"seed": seed, "options": None if sample is None else {"sample": sample}}
        self._sample = 0
        self._shown: list[str] = []
        self._earned = np.zeros((2, len(self.simulator.signal_names)))  # clean and observed, of the text under way
        self._observed = np.zeros(len(self.simulator.signal_names), np.bool_)
        self._paid = 0.0
        self._before: list[dict[str, Any]] = []  # what /undo goes back to, the last at the end

    def play(self) -> None:
        """Shows prompts and reads texts until the person leaves."""
        self._say(" ".join((inspect.getdoc(self.simulator.task) or "").partition("\n\n")[0].split()))
        self._say(
            "Type words, one or many at once; an empty line ends the text or your turn; /help says what else.", "dim"
        )
        self._start()
        with contextlib.suppress(EOFError):
            while self._write_one():
                self._start()

    def complete(self, beginning: str, number: int) -> str | None:
        """Returns the word of that number, from 0, among all that begin so; None after the last."""
        return dict(enumerate(self._words(beginning, self.simulator.vocabulary.writable))).get(number)

    def _start(self) -> None:
        """Shows a prompt."""
        _, info = self.env.reset(**self._reset)
        self._reset, self._sample, self._shown = {}, int(info["sample"]), []
        self._earned[:] = self._observed[:] = self._paid = 0
        self._before = []
        size, split = len(self.simulator.prompt_set), self.simulator.split
        self._say(f"\nprompt {self._sample:,} of the {size:,} of {split}", "dim")
        self._say(prompt_and_text(self.simulator, 0)[0], "bold")

    def _write_one(self) -> bool:
        """Lets the person write a text; returns whether another one is wanted."""
        while self.simulator.running[0]:
            line = self.read().strip()
            command, _, beginning = line.partition(" ")
            if line == "" and not self.env.action_masks()[Vocabulary.end_id]:
                self._say("it cannot end here; /words lists what may come next, /end ends it all the same", "yellow")
            elif line in ("", "/end"):
                self._write([Vocabulary.end_id])
            elif command == "/words":
                self._list_words(beginning.strip())
            elif line == "/help":
                for name, meaning in HELP.items():
                    self._say(f"{name:<8}{meaning}")
            elif line == "/undo":
                self._undo()
            elif line in ("/next", "/quit"):
                return line == "/next"
            elif line.startswith("/"):
                self._say(f"unknown command {line!r}{suggestion(line, HELP)}; known: {', '.join(HELP)}", "red")
            else:
                self._write(self._tokens(line))
        self._say("an empty line shows another prompt, /quit leaves", "dim")
        return self.read().strip() != "/quit"

    def _tokens(self, line: str) -> list[int]:
        """Returns the tokens of words that go on with the text; none, and says why, if one of them is unknown."""
        steps, vocabulary = self.simulator.steps[0], self.simulator.vocabulary
        begins = not steps or self.simulator.text_ids[0, steps - 1] == Vocabulary.end_id
        try:
            return vocabulary.encode(line if begins or line[0] in _PUNCTUATION else f" {line}")
        except ValueError as error:
            unknown = next((word for word in line.split() if not _spells(vocabulary, word)), "").strip(_PUNCTUATION)
            self._say(f"{error}{suggestion(unknown, vocabulary.tokens)}", "red")
            return []

    def _write(self, tokens: list[int]) -> None:
        """Writes tokens and shows what became of them; what is typed after the end of a text is not written."""
        spelled = self.simulator.vocabulary.tokens
        if tokens:
            self._before.append(self._state())
        for token in tokens:
            if token != Vocabulary.end_id and not self.env.action_masks()[token]:
                self._say(
                    f"{spelled[token].strip()!r} does not belong here; /words lists what does, /undo takes it back",
                    "yellow",
                )
            _, reward, over, _, info = self.env.step(token)
            self._earned += info["signals"], info["observed_signals"]
            self._observed |= info["observed_mask"]
            self._paid += float(reward)
            if self.simulator.feedback.every_step:
                told = zip(self.simulator.feedback.signals, info["signals"], info["observed_signals"], strict=True)
                parts = [
                    f"{signal.label} {clean:.3f}, observed {observed:.3f}; "
                    for signal, clean, observed in told
                    if signal.metric.timing == "step"
                ]
                self._say(f"  {spelled[token].strip():<12}{''.join(parts)}reward {reward:.3f}", "cyan")
            if over:
                break
        self._show_text()
        if not self.simulator.running[0]:
            self._settle(info)

    def _state(self) -> dict[str, Any]:
        """Returns all that writing changes."""
        earned = self._earned.copy(), self._observed.copy(), self._paid
        return {"env": self.env.get_state(), "earned": earned, "shown": self._shown}

    def _undo(self) -> None:
        if not self._before:
            self._say("nothing is written yet", "yellow")
            return
        state = self._before.pop()
        self.env.set_state(state["env"])
        (self._earned, self._observed, self._paid), self._shown = state["earned"], state["shown"]
        self._say("\n".join(self._shown) or "(nothing is written)")

    def _show_text(self) -> None:
        """Shows the lines of the text that are new or have grown."""
        lines = prompt_and_text(self.simulator, 0)[1].splitlines()
        for number, line in enumerate(lines):
            if line not in self._shown[number : number + 1]:
                self._say(line)
        self._shown = lines

    def _settle(self, info: dict[str, Any]) -> None:
        """Shows what a finished text earned, and its reference."""
        weights: FloatArray = info.get("weights", self.simulator.feedback.fusion.base_weights)
        table = Table("", "clean", "observed", "weight", box=None, padding=(0, 2, 0, 0))
        for number, name in enumerate(self.simulator.signal_names):
            clean, observed = (f"{value:.3f}" for value in self._earned[:, number])
            table.add_row(
                name, clean, observed if self._observed[number] else "-", f"{weights[number]:g}", style="cyan"
            )
        table.add_row("return", f"{info['clean_return']:.3f}", f"{info['observed_return']:.3f}", "")
        self.console.print(table)
        reason = REASONS[info["finish_reason"]]
        self._say(f"reward {self._paid:.3f}, gold {info['gold_return']:.3f} ({reason})", "bold")
        prompts = self.simulator.prompt_set
        reference = prompts.reference_ids[self._sample, : prompts.reference_lengths[self._sample]]
        for line in self.simulator.task.decode_text(reference.tolist()).splitlines():
            self._say(f"reference: {line}", "green")

    def _list_words(self, beginning: str) -> None:
        """Shows the tokens that may come next."""
        allowed = self.env.action_masks()
        words = self._words(beginning, allowed)
        listed = "  ".join(words[:MOST_WORDS]) or "no word"
        if len(words) > MOST_WORDS:
            listed += f"  and {len(words) - MOST_WORDS:,} more; /words THE lists those that begin with THE"
        self._say(listed + ("; or the end" if allowed[Vocabulary.end_id] else ""))

    def _words(self, beginning: str, tokens: BoolArray) -> list[str]:
        """Returns those of some tokens, (V,), that begin so, as words."""
        spelled = self.simulator.vocabulary.tokens
        words = (spelled[token].strip() for token in np.flatnonzero(tokens).tolist())
        return [word for word in dict.fromkeys(words) if word.startswith(beginning) and word not in SPECIAL_TOKENS]

    def _say(self, words: str, style: str = "") -> None:
        self.console.print(Text(words, style), soft_wrap=not self.console.is_terminal)


def _spells(vocabulary: Vocabulary, word: str) -> bool:
    try:
        vocabulary.encode(word)
    except ValueError:
        return False
    return True
