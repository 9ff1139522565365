"""The words that comments are made of; `{it}` is the text that they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ASPECTS = ("overall", "completeness", "concision", "variety")

SUBJECTS = ("it", "this", "the text", "this one", "this piece")

OPENERS = (
    "", "", "", "", "I think ", "I would say ", "to me, ", "in my view, ", "as far as I can tell, ", "all in all, ",
    "on the whole, ", "overall, ", "it seems to me that ", "after a second look, ", "in short, ", "I suppose ",
    "perhaps ",
)  # fmt: skip

SARCASTIC_OPENERS = ("oh, ", "of course, ", "as we all know, ", "who would have thought, ", "right, ")

# For each aspect the clauses of five opinions: devastating, bad, neither bad nor good, good, enthusiastic.
OPINIONS: Mapping[str, Sequence[Sequence[str]]] = {
    "overall": (
        (
            "{it} is a disaster and painful to read",
            "{it} is terrible and a waste of time",
            "{it} is a horrible mess",
            "{it} fails badly and is useless",
            "{it} is bad, really bad",
            "{it} is the worst I have seen today, simply awful",
        ),
        (
            "{it} is rather weak",
            "{it} is disappointing",
            "{it} gets the point wrong",
            "{it} makes a poor impression",
            "{it} is not very good",
            "{it} strikes me as dull",
            "{it} left me disappointed",
        ),
        (
            "{it} is average",
            "{it} is middle of the road",
            "{it} does about half of what it should",
            "{it} is neither here nor there",
            "{it} could go either way",
            "{it} leaves me where I was",
        ),
        (
            "{it} is good",
            "{it} is useful",
            "{it} makes its point rather well",
            "{it} is quite nice",
            "{it} is helpful",
            "{it} makes a good impression",
            "{it} is pleasant to read",
        ),
        (
            "{it} is excellent and a delight to read",
            "{it} is superb, and so clever",
            "{it} is brilliant and perfectly put",
            "{it} is wonderful, the best I have read today",
            "{it} is a beautiful piece of work, a masterpiece",
            "{it} is amazing, truly outstanding",
        ),
    ),
    "completeness": (
        (
            "{it} is a pathetic scrap, far too short and useless",
            "{it} stops before it has begun, which is terrible and a waste",
            "so much is missing that {it} is worthless and a pain to read",
            "{it} says hardly a thing, a horrible failure",
        ),
        (
            "{it} is too short, which is a problem",
            "{it} leaves out a lot and makes a poor impression",
            "{it} stops early, which is disappointing",
            "{it} tells only a part, and is the weaker for it, rather weak in fact",
            "half of what I need is missing from {it}, sadly",
        ),
        (
            "{it} covers about half of the ground",
            "{it} says some of what it should",
            "{it} could do with one more detail",
            "{it} has most of the parts and leaves out the rest",
        ),
        (
            "{it} covers the ground, which is good",
            "{it} is long enough to be helpful",
            "{it} has the details that I find useful",
            "{it} gives a nice account of the whole",
        ),
        (
            "{it} has everything I need, excellent and a joy to read",
            "{it} covers it all and does so perfectly, I am impressed",
            "{it} is complete down to the last detail, wonderful and so helpful",
            "{it} says all there is to say, and says it beautifully, which is great",
        ),
    ),
    "concision": (
        (
            "{it} goes on and on, which is terrible and painful",
            "{it} is endless, boring and a horrible waste",
            "{it} drags along for ages, awful and exhausting",
            "{it} buries its point under a miserable heap of words, simply bad",
        ),
        (
            "{it} is too long, which gets annoying",
            "{it} takes too many words and becomes dull",
            "{it} should have ended sooner, the rest is poor",
            "{it} wanders about in a disappointing way",
            "{it} says in ten words what takes three, and is the weaker for it, rather weak in fact",
        ),
        (
            "{it} is a bit long",
            "{it} takes a few words more than it has to",
            "{it} comes to the point at about half way",
            "{it} has the usual length",
        ),
        (
            "{it} comes to the point, which is good",
            "{it} is short and helpful",
            "{it} has a nice length",
            "{it} spends its words with care and is useful",
        ),
        (
            "{it} is short and perfect, a delight",
            "{it} comes straight to the point, brilliant and elegant",
            "every word of {it} counts, which is wonderful and so impressive",
            "{it} says it in one breath, excellent and clever",
        ),
    ),
    "variety": (
        (
            "{it} repeats itself until it hurts, simply awful",
            "{it} says the same thing again and again, annoying and pathetic",
            "{it} goes round in circles, horrible and boring",
            "the same words over and over make {it} terrible and painful",
        ),
        (
            "{it} repeats itself, which is annoying",
            "{it} uses the same words too often and gets dull",
            "{it} goes round in circles, which is disappointing",
            "{it} has poor wording",
            "{it} has a weak choice of words",
        ),
        (
            "{it} repeats a word now and then",
            "{it} has ordinary wording",
            "{it} uses the words that one would expect",
            "{it} has an average choice of words",
        ),
        (
            "{it} has a nice choice of words",
            "{it} has good wording",
            "{it} is pleasant in its wording",
            "{it} finds interesting words",
        ),
        (
            "{it} has beautiful wording and is a joy to read",
            "{it} is rich in words, elegant and charming",
            "{it} finds the perfect word each time, simply wonderful",
            "{it} has a brilliant choice of words, so lively and fresh",
        ),
    ),
}

# What else one says with each of the five opinions.
CLOSERS = (
    ("A waste of my time.", "What a shame!", "I hate it.", "How frustrating!", "It made me angry.", "Just bad."),
    ("Back to the drawing board.", "Give it another pass.", "I had to read it twice.", "Try that again.", "Hm."),
    ("That is all.", "Make of that what you will.", "Take it or leave it.", "On to the next one.", "So it goes."),
    ("Carry on.", "I would keep it.", "It can stay.", "A word or two could change.", "Go on with that."),
    ("I love it!", "Great work!", "A real pleasure.", "Just wonderful!", "It made me happy.", "Thank you, superb!"),
)

REMARKS = (
    "What time does the meeting start?", "I had soup for lunch today.", "It is raining here again.",
    "Has anyone seen my keys?", "The bus was ten minutes late.", "Which page are we on?", "My screen is very small.",
    "Is this the form for last week?", "I am typing this on the train.", "The coffee machine is on the third floor.",
    "Can you send me the other file?", "I was told to write something here.",
)  # fmt: skip
