"""What all tests share: one thread for each test process, and a registry that no test changes for the others."""

import os
from importlib.util import find_spec

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models are tiny, and the tests run side by side

NEEDED = {"textgym/ReasoningGym-v0": "reasoning_gym"}
"""What environments need that an extra installs; a law about one of them is skipped where it is missing."""


def pytest_collection_modifyitems(items):
    missing = {env_id: package for env_id, package in NEEDED.items() if find_spec(package) is None}
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if package := missing.get(parameters.get("env_id")):
            item.add_marker(pytest.mark.skip(reason=f"needs {package}, of an extra"))


@pytest.fixture(autouse=True)
def registered_for_one_test():
    """Takes out again what a test registers."""
    import gymnasium

    from textgym import registration

    registries = [gymnasium.registry, *(registration._known(kind) for kind in registration.COMPONENTS)]
    before = [dict(registry) for registry in registries]
    yield
    for registry, known in zip(registries, before, strict=True):
        registry.clear()
        registry.update(known)
