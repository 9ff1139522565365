"""Who can do what to whom in the sentences of Translate, each of it in one split only."""

from __future__ import annotations

from dataclasses import dataclass, field

from textgym.tasks.parts.held_out import split_of
from textgym.tasks.parts.translate_words import NOUNS, VERBS, Noun, Verb


@dataclass(frozen=True)
class Deed:
    """Who does what to whom."""

    subject: Noun
    verb: Verb
    object: Noun | None


@dataclass(frozen=True)
class Deeds:
    """All deeds of a split; the other splits have none of them.

    Attributes:
        active: those with an object.
        idle: those without.
        by_subject, by_object: those with an object, by the word for who does it, and to whom.
    """

    split: str
    active: list[Deed] = field(default_factory=list)
    idle: list[Deed] = field(default_factory=list)
    by_subject: dict[str, list[Deed]] = field(default_factory=dict)
    by_object: dict[str, list[Deed]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for verb in VERBS:
            objects = [noun for noun in NOUNS if noun.kind in verb.objects]
            for subject in (noun for noun in NOUNS if noun.kind in verb.subjects):
                for thing in objects:
                    self._add(Deed(subject, verb, thing))
                if not objects:
                    self._add(Deed(subject, verb, None))

    def _add(self, deed: Deed) -> None:
        names = [deed.subject.singular, deed.verb.base, *([deed.object.singular] if deed.object else [])]
        if deed.subject is deed.object or split_of(" ".join(names)) != self.split:
            return
        if deed.object is None:
            self.idle.append(deed)
            return
        self.active.append(deed)
        self.by_subject.setdefault(deed.subject.singular, []).append(deed)
        self.by_object.setdefault(deed.object.singular, []).append(deed)
