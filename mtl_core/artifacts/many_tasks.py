"""The number of tasks above which outputs summarize tasks instead of listing them."""

MAX_LISTED_TASKS = 20
"""Maximum number of main tasks that tables, pages and text files list one by one."""


def has_many_tasks(n_tasks: int) -> bool:
    """Return whether there are too many main tasks to list them one by one.

    Args:
        n_tasks: The number of main tasks.

    Example:
        >>> has_many_tasks(20), has_many_tasks(21)
        (False, True)
    """
    return n_tasks > MAX_LISTED_TASKS
