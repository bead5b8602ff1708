"""Task names as keys of a `torch.nn.ModuleDict`, which appear in the keys of a state dict."""

from collections.abc import Iterable


def build_task_keys(names: Iterable[str]) -> list[str]:
    """Return one key per task: a key contains no dot and is not the name of an attribute such as "type"."""
    return ["task-" + name.replace("%", "%25").replace(".", "%2E") for name in names]
