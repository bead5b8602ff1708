"""Coverage of the intervals, false verdicts and power of comparisons, on simulated studies with known differences.

    python -m benchmarks comparison_coverage [STUDIES]

STUDIES is the number of simulated studies per cell (default 1,000; a fourth with 3,000 examples).
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, product
from statistics import fmean

import numpy as np

from benchmarks.simulated_studies import (
    Design,
    Effects,
    MetricName,
    Study,
    compute_true_difference,
    draw_mean_difference,
    draw_sparse_study,
    draw_study,
    find_shift,
)
from mtl_core.statistics.sampling_variance import estimate_sampling_variance
from mtl_core.statistics.verdicts import CONFIDENCE_LEVEL, TestedDifference, decide_family

SOURCES = {
    "none": Effects(0, 0, 0),
    "seeds": Effects(1, 0, 0),
    "examples": Effects(0, 0.5, 0),
    "both": Effects(0, 0, 0.5),
    "all": Effects(1, 0.5, 0.5),
}
METRICS: Sequence[MetricName] = ("accuracy", "f1", "roc-auc", "mae")
N_SEEDS, N_EXAMPLES = (2, 3, 5, 10), (30, 300, 3000)
ORACLE_POWER, ORACLE_DISTANCE = 0.95, 3.6048
"""A test that knows the standard error finds a difference of so many standard errors with this probability."""
COVERAGE = ("coverage, null", "coverage, difference")
FAMILIES = (5, 20, 100, 617)


@dataclass(frozen=True)
class Outcome:
    """The outcome of one cell.

    Attributes:
        coverage: Share of intervals that contain the true difference.
        verdicts: Share of studies with a verdict of improved or degraded.
    """

    coverage: float
    verdicts: float


def main() -> None:
    """Print one table per question."""
    arguments = sys.argv[2:]
    n_studies = int(arguments[0]) if arguments else 1000
    print(f"{n_studies} studies per cell; standard error of a share of 5 %: {100 * (0.0475 / n_studies) ** 0.5:.1f} %")
    _print_single_tasks(n_studies)
    _print_sparse(n_studies)
    _print_families(max(n_studies // 5, 20))


def _print_header(*columns: str) -> None:
    print(f"| {' | '.join(columns)} |")
    print(f"|{' --- |' * len(columns)}")


def _build_tested(study: Study) -> TestedDifference:
    variance = estimate_sampling_variance(study.difference)
    mean, swap_test = float(study.difference.scores.mean()), study.swap_test
    if variance is None or swap_test is None:
        return TestedDifference(mean, variance, True, None, None, study.n_changed, True)
    variance = variance.require_example_variance(swap_test.variance)
    return TestedDifference(mean, variance, True, None, swap_test.p_value, study.n_changed, True)


def _measure(draw: Callable[[np.random.Generator], Study], truth: float, n_studies: int, seed: int) -> Outcome:
    random = np.random.default_rng([20, seed])
    n_covered = n_verdicts = 0
    for _ in range(n_studies):
        tested = _build_tested(draw(random))
        assert tested.mean is not None
        assert tested.variance is not None
        n_covered += abs(tested.mean - truth) <= tested.variance.compute_half_width(CONFIDENCE_LEVEL) + 1e-12
        [verdict], _, _ = decide_family([tested])
        n_verdicts += verdict.verdict in {"improved", "degraded"}
    return Outcome(n_covered / n_studies, n_verdicts / n_studies)


def _measure_error(design: Design) -> float:
    """Measure the true standard error of the difference, on 200 studies of their own."""
    random = np.random.default_rng(21)
    return float(np.std([draw_mean_difference(design, random) for _ in range(200)], ddof=1))


def _find_shift(design: Design) -> float | None:
    """Find the shift that a test which knows the standard error there finds with the power of the oracle."""
    shift: float | None = 0.0
    for _ in range(4):
        if shift is None:
            return None
        shift = find_shift(design, ORACLE_DISTANCE * _measure_error(replace(design, shift=shift)))
    return shift


def _print_single_tasks(n_studies: int) -> None:
    print("\nOne task. Null: both variants are equally good; power: at a difference that a test which knows the")
    print(f"standard error finds in {100 * ORACLE_POWER:.0f} % of studies. Ranges over accuracy, F1, ROC-AUC and MAE.")
    print(f"With {N_EXAMPLES[-1]:,} examples: means of these, with a fourth of the studies each.")
    _print_header("what varies", "seeds", "examples", *COVERAGE, "false verdicts", "power / known")
    cells = count()
    for source, n_seeds in product(SOURCES, N_SEEDS):
        nulls: list[Outcome] = []
        shifted: list[Outcome] = []
        for n_examples in N_EXAMPLES:
            is_large = n_examples == N_EXAMPLES[-1]
            if is_large:
                print(f"| {source} | {n_seeds} | 30 to 300 | {_format_outcomes(nulls, shifted)} |", flush=True)
                nulls, shifted = [], []
            for metric in METRICS:
                design = Design(metric, n_seeds, n_examples, SOURCES[source])
                n = n_studies // 4 if is_large else n_studies  # large ones take ten times as long
                nulls.append(_measure(partial(draw_study, design), 0.0, n, next(cells)))
                shift = _find_shift(design) if source != "none" else None
                if shift is not None:
                    other = replace(design, shift=shift)
                    truth = compute_true_difference(other)
                    shifted.append(_measure(partial(draw_study, other), truth, n, next(cells)))
                print(
                    f"  {source} {n_seeds} {metric} {n_examples} {nulls[-1]} {shifted[-1:] if shift else ''}",
                    file=sys.stderr,
                )
        means = [_average(nulls)], [_average(shifted)] if shifted else []
        print(f"| {source} | {n_seeds} | {N_EXAMPLES[-1]:,} | {_format_outcomes(*means)} |", flush=True)


def _average(outcomes: Sequence[Outcome]) -> Outcome:
    return Outcome(fmean(one.coverage for one in outcomes), fmean(one.verdicts for one in outcomes))


def _format_outcomes(nulls: Sequence[Outcome], shifted: Sequence[Outcome]) -> str:
    return " | ".join(
        [
            _format_range([one.coverage for one in nulls]),
            _format_range([one.coverage for one in shifted]),
            _format_range([one.verdicts for one in nulls]),
            _format_range([one.verdicts / ORACLE_POWER for one in shifted]),
        ]
    )


def _print_sparse(n_studies: int) -> None:
    print("\nSparse differences: nearly all answers are the same. Ranges over 2, 3, 5 and 10 seeds.")
    _print_header("examples", "answers that differ", "same with every seed", *COVERAGE, "false verdicts")
    cells = count(1000)
    for n_examples, rate, is_shared in product(N_EXAMPLES, (0.001, 0.003, 0.01, 0.05), (True, False)):
        outcomes: dict[float, list[Outcome]] = {0.0: [], 0.6: []}
        for n_seeds, lean in product(N_SEEDS, outcomes):

            def draw(random: np.random.Generator, n_seeds: int = n_seeds, lean: float = lean) -> Study:
                return draw_sparse_study(n_seeds, n_examples, rate, is_shared, lean, random)  # noqa: B023

            outcomes[lean].append(_measure(draw, rate * lean, n_studies, next(cells)))
        print(
            f"| {n_examples:,} | {100 * rate:g} % | {'yes' if is_shared else 'no'} | "
            f"{_format_range([one.coverage for one in outcomes[0.0]])} | "
            f"{_format_range([one.coverage for one in outcomes[0.6]])} | "
            f"{_format_range([one.verdicts for one in outcomes[0.0]])} |",
            flush=True,
        )


def _print_families(n_studies: int) -> None:
    print(f"\nFamilies of tasks, accuracy on 300 examples, everything varies; {n_studies} studies per cell.")
    _print_header(
        "tasks", "seeds", "null families with any verdict", "false among verdicts, half of the tasks differ", "found"
    )
    for n_tasks, n_seeds in product(FAMILIES, (2, 3, 5)):
        null = Design("accuracy", n_seeds, 300, SOURCES["all"])
        shift = _find_shift(null)
        random = np.random.default_rng(22)
        n_any = 0
        false_shares, found_shares = [], []
        for _ in range(n_studies):
            n_any += any(_decide([null] * n_tasks, random))
            half = n_tasks // 2
            verdicts = list(_decide([null] * half + [replace(null, shift=shift or 0.0)] * (n_tasks - half), random))
            false_shares.append(sum(verdicts[:half]) / max(sum(verdicts), 1))
            found_shares.append(sum(verdicts[half:]) / (n_tasks - half))
        print(
            f"| {n_tasks} | {n_seeds} | {100 * n_any / n_studies:.1f} % | {100 * np.mean(false_shares):.1f} % | "
            f"{100 * np.mean(found_shares):.0f} % |",
            flush=True,
        )


def _decide(designs: Sequence[Design], random: np.random.Generator) -> Iterator[bool]:
    verdicts, _, _ = decide_family([_build_tested(draw_study(design, random)) for design in designs])
    return (one.verdict in {"improved", "degraded"} for one in verdicts)


def _format_range(shares: Sequence[float]) -> str:
    if not shares:
        return "-"
    low, high = 100 * min(shares), 100 * max(shares)
    return f"{low:.1f} %" if low == high else f"{low:.1f} to {high:.1f} %"
