"""The grammar of summaries."""

from __future__ import annotations

from textgym.tasks.parts.summarize_words import DEEDS, PHRASES, THINGS, VALUES, article, pieces
from textgym.tasks.parts.token_grammar import TokenGrammar
from textgym.vocabulary import Vocabulary


def summary_grammar(vocabulary: Vocabulary) -> TokenGrammar:
    """Returns it: perhaps a day, who did what, then details in any order, each as in `PHRASES`, and a full stop.

    A deed is either word for it, perhaps behind `has`.
    """
    groups = {f"{{{slot}}}": words for slot, words in VALUES.items()}
    groups["{deed}"] = (*DEEDS, *DEEDS.values())
    groups |= {f"{{{one} thing}}": [thing for thing in THINGS if article(thing) == one] for one in ("a", "an")}
    rules: dict[str, dict[str, str]] = {
        "start": {"{who}": "who", "on": "on"},
        "on": {"{day}": "day"},
        "day": {"{who}": "who"},
        "who": {"{deed}": "deed", "has": "has"},
        "has": {"{deed}": "deed"},
        "deed": {"a": "a", "an": "an"},
        "a": {"{a thing}": "told"},
        "an": {"{an thing}": "told"},
        "told": {".": "over"},
        "over": {},
    }
    for phrase in PHRASES.values():
        *words, last = pieces(phrase)
        state = "told"
        for word in words:
            following = f"{state} {word}"
            rules.setdefault(state, {})[word] = following
            state = following
        rules[state] = {last: "told"}
    return TokenGrammar(vocabulary, rules, groups, ends=("over",))
