"""Names of tasks as keys of a `torch.nn.ModuleDict`, and so in the names of weights."""

from collections.abc import Iterable


def task_keys(names: Iterable[str]) -> list[str]:
    """Give a key a task: a key holds no dot, and must not be the name of an attribute such as "type"."""
    return ["task-" + name.replace("%", "%25").replace(".", "%2E") for name in names]
