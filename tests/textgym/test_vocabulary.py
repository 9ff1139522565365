"""Vocabularies: there and back, and the characters of whole batches."""

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from textgym.vocabulary import SPECIAL_TOKENS, TokenizerVocabulary, WordVocabulary

TEXTS = ["return the naïve café", "return a list of names.", "日本語 and back"]


def byte_level(texts, special_tokens=SPECIAL_TOKENS):
    """A byte-level BPE of a few texts, in which one token may be a part of a character."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=list(special_tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def word_pieces():
    """A WordPiece tokenizer, whose tokens are spelled differently inside a word."""
    pieces = [*SPECIAL_TOKENS, "[UNK]", "re", "##turn", "the", "##s", "name"]
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def ascii_tokens():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=80, special_tokens=list(SPECIAL_TOKENS), show_progress=False)
    tokenizer.train_from_iterator(["return the name of a file", "return names"], trainer)
    return tokenizer


VOCABULARIES = {
    "words": WordVocabulary(["a", "bc", "def"]),
    "ascii": TokenizerVocabulary(ascii_tokens()),
    "bytes": TokenizerVocabulary(byte_level(TEXTS)),
    "pieces": TokenizerVocabulary(word_pieces()),
}


@pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=VOCABULARIES.keys())
def test_characters_are_those_of_the_decoded_texts(vocabulary):
    generator = np.random.default_rng(0)
    ids = generator.integers(len(vocabulary), size=(50, 7))
    lengths = generator.integers(8, size=50)
    lengths[:2] = 0
    codes, counts = vocabulary.characters(ids, lengths)
    expected = ["".join(vocabulary.decode(row[:n]).split()) for row, n in zip(ids, lengths, strict=True)]
    assert counts.tolist() == [len(text) for text in expected]
    assert "".join(map(chr, codes)) == "".join(expected)


@pytest.mark.parametrize("text", TEXTS)
def test_there_and_back(text):
    vocabulary = VOCABULARIES["bytes"]
    ids = vocabulary.encode(text)
    assert vocabulary.decode([*ids, vocabulary.end_id]) == text
    assert min(ids) >= len(SPECIAL_TOKENS)


def test_words():
    vocabulary = VOCABULARIES["words"]
    assert vocabulary.encode("def a") == [5, 3]
    assert vocabulary.decode([1, 5, 3, 2, 0]) == "def a"
    assert vocabulary.writable.tolist() == [False, False, True, True, True, True]
    with pytest.raises(ValueError, match="not in the vocabulary of 6 words: x, <end>"):
        vocabulary.encode("a x <end>")
    with pytest.raises(ValueError, match="must differ"):
        WordVocabulary(["a", "a"])


def test_a_tokenizer_without_our_special_tokens_is_refused():
    with pytest.raises(ValueError, match="must start with the special tokens"):
        TokenizerVocabulary(byte_level(TEXTS, special_tokens=["<s>", "<sep>", "<end>"]))


def test_a_text_that_cannot_be_spelled_is_refused():
    with pytest.raises(ValueError, match="cannot spell this text: 'zebra'"):
        VOCABULARIES["ascii"].encode("zebra")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["Anna", "'s", "cat", ",", "a", "big", "one", "."], "Anna's cat, a big one."),
        (["def", "f(", "xs", ")", ":", "return", "max(", "sorted(", ")[", "0", "]", ",", "-1"],
         "def f(xs): return max(sorted(xs)[0], -1)"),
        (["at", "10:30", "?", "[", "1", ",", "2", "]"], "at 10:30? [1, 2]"),
        (["a", "b", "don't"], "a b don't a"),
    ],
)  # fmt: skip
def test_words_and_punctuation_go_there_and_back(words, text):
    vocabulary = WordVocabulary(words)
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == text
    assert [vocabulary.tokens[i] for i in vocabulary.encode(" ".join(vocabulary.tokens[i] for i in ids))] == [
        vocabulary.tokens[i] for i in ids
    ]


def test_unknown_words_are_named_without_their_punctuation():
    with pytest.raises(ValueError, match=r"not in the vocabulary of 6 words: dog, now$"):
        WordVocabulary(["a", ".", ","]).encode("a dog, now.")


def test_special_tokens_leave_no_trace_in_the_spacing():
    vocabulary = WordVocabulary(["a", "."])
    assert vocabulary.decode([0, 3, 2, 4, 1, 3, 2]) == "a. a"
