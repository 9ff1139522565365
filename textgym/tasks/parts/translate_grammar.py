"""The grammar of Velan as a finite automaton: which words may follow which."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from textgym.tasks.parts.token_grammar import TokenGrammar
from textgym.tasks.parts.translate_words import ENDINGS, NOT, groups
from textgym.vocabulary import Vocabulary

_Rules = dict[str, dict[str, str]]


def velan_grammar(vocabulary: Vocabulary) -> TokenGrammar:
    """Returns the automaton of sentences: any number of clauses that a conjunction closes, then the main clause.

    Determiners, nouns and adjectives agree, relative pronouns agree with their noun, verbs with their subject, and a
    verb has an object if it takes one.
    """
    rules: _Rules = {str(_Clause("", "", "")): {}, "closed": {",": str(_Clause("", "", ""))}, "over": {}}
    inside = [str(_Clause("", *parts)) for parts in product(ENDINGS, ("", "object"))]
    for parts in product(("", *inside), ("", *ENDINGS), ("", "object")):
        rules |= _Clause(*parts).rules()
    return TokenGrammar(vocabulary, rules, groups(), ends=("over",))


class _Clause(NamedTuple):
    """A clause between two of its phrases, as a state of the automaton.

    Attributes:
        around: the state of the clause that goes on behind this one, if this is a relative clause.
        subject: the ending of its subject, or nothing as long as it has none.
        object: `"object"` if it has one, or nothing; so too where the relative pronoun is the object.
    """

    around: str
    subject: str
    object: str

    def __str__(self) -> str:
        return f"{self.around}({self.subject}/{self.object})"

    def rules(self) -> _Rules:
        """Returns the rules of the clause here, and inside the phrases that may come next."""
        over = {",": self.around} if self.around else {".": "over", "conjunction": "closed"}
        rules: _Rules = {str(self): self._next(), f"{self} not": self._verbs(), f"{self} verb": over}
        rules[f"{self} placed"] = self._determiners(*self._missing())
        for case, ending in product((*self._missing(), "locative"), ENDINGS):
            determined, named = f"{self} {case}:{ending}", f"{self} {case}:{ending} named"
            rules[determined] = {f"noun:{ending}": named}
            if case == "locative":
                rules[named] = {"postposition": f"{self} placed"}
                continue
            after = self._replace(subject=ending) if case == "nominative" else self._replace(object="object")
            described, comma = f"{named} described", f"{named} ,"
            onward = after._next()
            if not self.around:
                onward[","] = comma
                rules[comma] = {
                    f"relative:{ending}": str(_Clause(str(after), ending, "")),
                    f"relative:{ending}n": str(_Clause(str(after), "", "object")),
                }
            rules[named], rules[described] = {f"adjective:{ending}": described, **onward}, onward
        return rules

    def _next(self) -> dict[str, str]:
        """Returns the words that may come next: a determiner, or what the clause ends with."""
        missing = self._missing()
        denied = {NOT: f"{self} not"} if self.subject else {}
        return {**self._determiners(*missing, *["locative"] * len(missing)), **denied, **self._verbs()}

    def _missing(self) -> list[str]:
        """Returns the case of the noun that the clause may still have, its subject before its object."""
        return ["nominative"] * (not self.subject) or ["accusative"] * (not self.object)

    def _determiners(self, *cases: str) -> dict[str, str]:
        return {f"{case}:{ending}": f"{self} {case}:{ending}" for case, ending in product(cases, ENDINGS)}

    def _verbs(self) -> dict[str, str]:
        verb = f"{'active' if self.object else 'idle'}:{self.subject}"
        return {verb: f"{self} verb"} if self.subject else {}
