"""The one list: environment ids, and the names of every component.

Nothing named here is imported before it is used. A new component of ours is a file and a line here; another package
adds one with `register_component`, or with an entry point in the group `textgym.metrics`, `textgym.tasks` and so on.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from numbers import Integral, Real
from typing import Any, TypeVar

import gymnasium

from textgym.types import Spec

_Made = TypeVar("_Made")

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "textgym/Bandit-v0": {"task": "bandit"},
    "textgym/Chain-v0": {"task": "chain"},
    "textgym/Code-v0": {"task": "code"},
    "textgym/Copy-v0": {"task": "copy"},
    "textgym/Dataset-v0": {"task": "dataset"},
    "textgym/Dialogue-v0": {"task": "dialogue"},
    "textgym/Docstring-v0": {"task": "docstring"},
    "textgym/Drift-v0": {"task": "drift"},
    "textgym/Hacking-v0": {"task": "hacking"},
    "textgym/Horizon-v0": {"task": "horizon"},
    "textgym/KnowledgeGraph-v0": {"task": "knowledge_graph"},
    "textgym/KnowledgeQA-v0": {"task": "knowledge_qa"},
    "textgym/Lock-v0": {"task": "lock"},
    "textgym/Memory-v0": {"task": "memory"},
    "textgym/Noise-v0": {"task": "noise"},
    "textgym/PyDoc-v0": {"task": "pydoc"},
    "textgym/ReasoningGym-v0": {"task": "reasoning_gym"},
    "textgym/Reverse-v0": {"task": "reverse"},
    "textgym/Stop-v0": {"task": "stop"},
    "textgym/Story-v0": {"task": "story"},
    "textgym/Summarize-v0": {"task": "summarize"},
    "textgym/Tradeoff-v0": {"task": "tradeoff"},
    "textgym/Translate-v0": {"task": "translate"},
    "textgym/Vocabulary-v0": {"task": "vocabulary"},
}

COMPONENTS: dict[str, dict[str, str]] = {
    "tasks": {
        "bandit": "textgym.tasks.bandit:Bandit",
        "chain": "textgym.tasks.chain:Chain",
        "code": "textgym.tasks.code:Code",
        "copy": "textgym.tasks.copy:Copy",
        "dataset": "textgym.tasks.dataset:Dataset",
        "dialogue": "textgym.tasks.dialogue:Dialogue",
        "docstring": "textgym.tasks.docstring:Docstring",
        "drift": "textgym.tasks.drift:Drift",
        "hacking": "textgym.tasks.hacking:Hacking",
        "horizon": "textgym.tasks.horizon:Horizon",
        "knowledge_graph": "textgym.tasks.knowledge_graph:KnowledgeGraph",
        "knowledge_qa": "textgym.tasks.knowledge_qa:KnowledgeQA",
        "lock": "textgym.tasks.lock:Lock",
        "memory": "textgym.tasks.memory:Memory",
        "noise": "textgym.tasks.noise:Noise",
        "pydoc": "textgym.tasks.pydoc:PyDoc",
        "reasoning_gym": "textgym.tasks.reasoning_gym:ReasoningGym",
        "reverse": "textgym.tasks.reverse:Reverse",
        "stop": "textgym.tasks.stop:Stop",
        "story": "textgym.tasks.story:Story",
        "summarize": "textgym.tasks.summarize:Summarize",
        "tradeoff": "textgym.tasks.tradeoff:Tradeoff",
        "translate": "textgym.tasks.translate:Translate",
        "vocabulary": "textgym.tasks.vocabulary:Vocabulary",
    },
    "metrics": {
        "blend": "textgym.metrics.blend:Blend",
        "bleu": "textgym.metrics.bleu:Bleu",
        "brevity": "textgym.metrics.brevity:Brevity",
        "chrf": "textgym.metrics.chrf:ChrF",
        "diversity": "textgym.metrics.diversity:Diversity",
        "exact_match": "textgym.metrics.exact_match:ExactMatch",
        "fairness": "textgym.metrics.fairness:Fairness",
        "fluency": "textgym.metrics.fluency:Fluency",
        "format": "textgym.metrics.format:Format",
        "gold": "textgym.metrics.gold:Gold",
        "informativeness": "textgym.metrics.informativeness:Informativeness",
        "length": "textgym.metrics.length:Length",
        "perplexity": "textgym.metrics.perplexity:Perplexity",
        "potential": "textgym.metrics.potential:Potential",
        "relevance": "textgym.metrics.relevance:Relevance",
        "repetition": "textgym.metrics.repetition:Repetition",
        "rouge_l": "textgym.metrics.rouge_l:RougeL",
        "safety": "textgym.metrics.safety:Safety",
        "sentiment": "textgym.metrics.sentiment:Sentiment",
        "task_signal": "textgym.metrics.task_signal:TaskSignal",
        "ter": "textgym.metrics.ter:Ter",
        "token_match": "textgym.metrics.token_match:TokenMatch",
        "word_f1": "textgym.metrics.word_f1:WordF1",
    },
    "scorers": {"ngram": "textgym.metrics.scorers:Ngram"},
    "annotators": {
        "chat_judge": "textgym.annotators.chat_judge:ChatJudge",
        "click": "textgym.annotators.click:Click",
        "comment": "textgym.annotators.comment:Comment",
        "demonstration": "textgym.annotators.demonstration:Demonstration",
        "dwell": "textgym.annotators.dwell:Dwell",
        "edit": "textgym.annotators.edit:Edit",
        "judge": "textgym.annotators.judge:Judge",
        "preference": "textgym.annotators.preference:Preference",
        "ranking": "textgym.annotators.ranking:Ranking",
        "rating": "textgym.annotators.rating:Rating",
        "self_feedback": "textgym.annotators.self_feedback:SelfFeedback",
    },
    "fusion": {
        "fixed": "textgym.fusion.fixed:Fixed",
        "hedge": "textgym.fusion.hedge:Hedge",
        "inverse_variance": "textgym.fusion.inverse_variance:InverseVariance",
        "lagrangian": "textgym.fusion.lagrangian:Lagrangian",
        "personalised": "textgym.fusion.personalised:Personalised",
        "scheduled": "textgym.fusion.scheduled:Scheduled",
    },
    "noise": {
        "affine": "textgym.noise.affine:Affine",
        "ar1": "textgym.noise.ar1:AR1",
        "asymmetric": "textgym.noise.asymmetric:Asymmetric",
        "clip": "textgym.noise.clip:Clip",
        "contamination": "textgym.noise.contamination:Contamination",
        "delay": "textgym.noise.delay:Delay",
        "drift": "textgym.noise.drift:Drift",
        "dropout": "textgym.noise.dropout:Dropout",
        "fatigue": "textgym.noise.fatigue:Fatigue",
        "flip": "textgym.noise.flip:Flip",
        "gaussian": "textgym.noise.gaussian:Gaussian",
        "laplace": "textgym.noise.laplace:Laplace",
        "pool": "textgym.noise.pool:AnnotatorPool",
        "quantise": "textgym.noise.quantise:Quantise",
        "randomised_response": "textgym.noise.randomised_response:RandomisedResponse",
        "skew": "textgym.noise.skew:Skew",
    },
    "correction": {
        "calibrate": "textgym.correction.calibrate:Calibrate",
        "dawid_skene": "textgym.correction.dawid_skene:DawidSkene",
        "exponential": "textgym.correction.exponential:Exponential",
        "huber": "textgym.correction.huber:Huber",
        "kalman": "textgym.correction.kalman:Kalman",
        "median": "textgym.correction.median:Median",
        "none": "textgym.correction.none:NoCorrection",
        "pessimism": "textgym.correction.pessimism:Pessimism",
        "surrogate": "textgym.correction.surrogate:Surrogate",
    },
}


def register_env(env_id: str, *, task: Spec, **arguments: Any) -> None:
    """Registers an environment of a task with Gymnasium, for one env and for a vector env.

    Args:
        env_id: its id, such as `"mypackage/Limerick-v0"`.
        task: the name or spec of a task.
        **arguments: further defaults of `TextEnv`.
    """
    gymnasium.register(
        env_id,
        entry_point="textgym.env:TextEnv",
        vector_entry_point="textgym.vector_env:TextVectorEnv",
        kwargs={"task": task, **arguments},
    )


def env_ids() -> list[str]:
    """Returns the ids of all registered text environments, sorted."""
    return sorted(key for key, spec in gymnasium.registry.items() if spec.entry_point == "textgym.env:TextEnv")


def register_component(kind: str, name: str, entry_point: str | Callable[..., Any]) -> None:
    """Adds a component that a spec can name.

    Args:
        kind: one of `"tasks"`, `"metrics"`, `"scorers"`, `"annotators"`, `"fusion"`, `"noise"`, `"correction"`.
        name: its name in specs.
        entry_point: the class, or `"module:Class"`. Only the latter reaches the processes of an `AsyncVectorEnv`. A
            class that was defined anew, as a notebook's cell that is run again does, takes the place of the former.

    Raises:
        ValueError: if the kind is unknown, the name is taken by another component, or a string is no entry point.
    """
    known = _known(kind)
    if isinstance(entry_point, str) and not all(entry_point.partition(":")):
        raise ValueError(f'entry_point must be a class or "module:Class", got {entry_point!r}')
    for other in ("metrics", "annotators") if kind in ("metrics", "annotators") else (kind,):
        if _identity(_known(other).get(name, entry_point)) != _identity(entry_point):
            raise ValueError(f"{name!r} already names one of the {other}: choose another name")
    known[name] = entry_point


def _identity(entry_point: str | Callable[..., Any]) -> object:
    """Returns what two entry points share that are the same: of classes where they are defined, else themselves."""
    return (entry_point.__module__, entry_point.__qualname__) if isinstance(entry_point, type) else entry_point


def components(kind: str) -> list[str]:
    """Returns the names of all components of a kind, sorted."""
    return sorted(_known(kind))


def load_component(kind: str, name: str) -> Callable[..., Any]:
    """Returns the class of a component.

    Raises:
        ValueError: if no component has the name.
    """
    known = _known(kind)
    if name not in known:
        raise ValueError(
            f"unknown {kind.removesuffix('s')} {name!r}{suggestion(name, known)}; known: {', '.join(sorted(known))}"
        )
    entry_point = known[name]
    if not isinstance(entry_point, str):
        return entry_point
    module, _, attribute = entry_point.partition(":")
    component: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return component


def build(kind: str, spec: Spec, *given: Any, **given_by_name: Any) -> Any:
    """Makes a component from its spec.

    Args:
        kind: the kind of component.
        spec: its name, or a mapping of `name` and its arguments.
        *given: what the environment itself hands to the constructor, before the spec's arguments.
        **given_by_name: the same, by keyword.

    Raises:
        ValueError: if the name or an argument is unknown, an argument is missing, or a value is refused.
    """
    name, arguments = split_spec(kind, spec)
    made = load_component(kind, name)
    return construct(f"{kind.removesuffix('s')} {name!r}", made, arguments, *given, **given_by_name)


def construct(
    what: str, made: Callable[..., _Made], arguments: Mapping[str, Any], *given: Any, **given_by_name: Any
) -> _Made:
    """Calls a constructor with arguments that are plain data of a user's.

    Args:
        what: what errors call it.
        made: the class, or a function.
        arguments: its arguments by name.
        *given: what the caller itself hands over, before the arguments.
        **given_by_name: the same, by keyword.

    Raises:
        ValueError: if an argument is unknown or missing, or a value is refused.
    """
    check_arguments(what, made, arguments, given=len(given), given_by_name=given_by_name)
    try:
        return made(*given, **given_by_name, **arguments)
    except TypeError as error:  # such as a word for a number, which says too little by itself
        told = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ValueError(f"{what}: {error}; a value of the wrong kind among {told or 'its defaults'}") from error
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


def split_spec(kind: str, spec: Spec) -> tuple[str, dict[str, Any]]:
    """Returns the name and the arguments of a spec."""
    if isinstance(spec, str):
        return spec, {}
    if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
        raise ValueError(f'one of {kind} must be a name or a mapping such as {{"name": ...}}, got {spec!r}')
    return spec["name"], {key: value for key, value in spec.items() if key != "name"}


def as_list(what: str, specs: Sequence[Spec]) -> list[Spec]:
    """Returns the specs as a list, or raises a ValueError if they are not in one."""
    if isinstance(specs, (str, Mapping)) or not isinstance(specs, Sequence):
        raise ValueError(f'{what} must be a list of names or mappings, such as [{{"name": ...}}], got {specs!r}')
    return list(specs)


def check_arguments(
    what: str,
    made: Callable[..., Any],
    arguments: Mapping[str, Any],
    *,
    given: int = 0,
    given_by_name: Mapping[str, Any] | None = None,
) -> None:
    """Raises a ValueError if `made` does not take the arguments, which lists what it takes, or lacks one."""
    parameters = list(inspect.signature(made).parameters.values())[given:]
    known = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    for name in given_by_name or {}:
        known.pop(name, None)
    for name in arguments:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise ValueError(f"unknown argument {name!r} for {what}{suggestion(name, known)}; known: {listed}")
        check_number(known[name], arguments[name], f"{what}: ")
    missing = [name for name, p in known.items() if p.default is p.empty and name not in arguments]
    if missing:
        raise ValueError(f"{what} needs the argument {missing[0]!r}")


def check_number(parameter: inspect.Parameter, value: Any, what: str = "") -> None:
    """Raises a ValueError if a parameter is a number by its annotation and the value is none, as 2.5 for an int."""
    kinds = {*str(getattr(parameter.annotation, "__name__", parameter.annotation)).split(" | ")}
    others = kinds - {"int", "float"}
    if others == kinds or (value is None and (parameter.default is None or "None" in kinds)):
        return
    whole = "float" not in kinds
    fits = isinstance(value, Integral if whole else Real) and (not isinstance(value, bool) or "bool" in kinds)
    if not fits and (isinstance(value, Real) or others <= {"None"}):
        raise ValueError(f"{what}{parameter.name} must be a {'whole ' * whole}number, got {value!r}")


def suggestion(name: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Returns `" (did you mean 'x'?)"` for the known name that is closest, or nothing if none is as like as that."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=likeness)
    return f" (did you mean {close[0]!r}?)" if close else ""


@cache
def _known(kind: str) -> dict[str, str | Callable[..., Any]]:
    if kind not in COMPONENTS:
        raise ValueError(f"kind must be one of {', '.join(COMPONENTS)}, got {kind!r}")
    found = {point.name: point.value for point in entry_points(group=f"textgym.{kind}")}
    return {**found, **COMPONENTS[kind]}
