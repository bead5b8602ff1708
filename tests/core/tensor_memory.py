"""Peak memory of the tensors that a function creates, from the events of the profiler: the same in every run."""

from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile


def measure_tensor_peak(function: Callable[[], object]) -> int:
    """Return the largest number of bytes that new tensors occupy at a time while a function runs.

    The resident memory of the process, by contrast, also contains memory of libraries, which varies.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        function()
    peak = current = 0
    for event in sorted(profiler.events(), key=lambda event: event.time_range.end):
        current += event.self_cpu_memory_usage
        peak = max(peak, current)
    return peak
