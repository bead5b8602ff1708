"""Task grouping: which tasks to train in one network, given their influence on each other."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mtl_core.errors import MtlError
from mtl_core.evaluation.grouping_proof import prove_grouping
from mtl_core.evaluation.set_partitioning import choose_networks

Matrix = NDArray[np.float64]
Networks = list[list[int]]

MAX_ENUMERATED_TASKS = 10
"""Maximum number of tasks for which every possible network is a candidate, so that the result is optimal."""
MAX_PROOF_TASKS = 16
"""Maximum number of tasks for which an integer program tries to improve the result, and to prove that it is optimal."""
MIN_IMPROVEMENT = 1e-4
"""A further network must improve the objective by this share of the largest influence of a pair."""


@dataclass(frozen=True)
class GroupingSolution:
    """A grouping of tasks into networks.

    Attributes:
        networks: The sorted task indices of each network.
        objective: The objective of the grouping.
        bound: An upper bound of the objective of all groupings with as many networks or fewer.
    """

    networks: Networks
    objective: float
    bound: float

    @property
    def gap(self) -> float:
        """The share of the bound that the objective may be below the optimum; 0 for a proven optimum."""
        return max(self.bound - self.objective, 0.0) / self.bound if self.bound > 0 else 0.0


def find_grouping(influence: Matrix, max_networks: int, seed: int = 0, time_limit: float = 1.0) -> GroupingSolution:
    """Group tasks into networks, so that the tasks of a network help each other as much as possible.

    The objective is the sum over networks of the density of influence: the sum of the influences between different
    tasks of the network, divided by its number of tasks (Li et al., 2024, without the influence of a task on itself).
    A single task in a network counts 0, and so does an unknown pair. A further network must improve the objective by
    `MIN_IMPROVEMENT` of the largest influence.

    - Up to 10 tasks, every subset of tasks is a candidate network. An integer program (set partitioning, HiGHS) chooses
      the best of them, which is the optimum.
    - For more tasks, the candidates are the clusters of all sizes of agglomerative clustering (average and complete
      linkage) and of spectral clustering.
    - Up to 16 tasks, a second integer program over pairs of tasks searches all groupings, within the time limit. Its
      result replaces the first one if it is a proven optimum.
    - The bound is the sum of the largest eigenvalues of the matrix of influences, which relaxes the assignment of tasks
      to any orthogonal directions (Zha et al., 2001), or the bound of the second integer program if it is lower.

    Args:
        influence: `(tasks, tasks)`, float64: influence of the row's task on the column's task; NaN if unknown.
        max_networks: Maximum number of networks.
        seed: The seed of spectral clustering.
        time_limit: Maximum time of the second integer program in seconds.

    Returns:
        The grouping, with a bound on the objective.

    References:
        D. Li, A. Sharma, H. R. Zhang: Scalable Multitask Learning Using Gradient-based Estimation of Task Affinity.
        KDD, 2024. H. Zha, X. He, C. Ding, M. Gu, H. Simon: Spectral Relaxation for K-means Clustering. NeurIPS, 2001.
    """
    n_tasks = len(influence)
    known = np.nan_to_num(influence, nan=0.0)
    np.fill_diagonal(known, 0.0)
    scale = float(np.abs(known).max(initial=0.0))
    if scale == 0.0:
        return GroupingSolution([list(range(n_tasks))], 0.0, 0.0)
    pairs: Matrix = (known + known.T) / (2 * scale)  # solvers have absolute tolerances
    is_exact = n_tasks <= MAX_ENUMERATED_TASKS
    candidates = _list_subsets(n_tasks) if is_exact else _list_clusters(pairs, max_networks, seed)
    values = np.array([_compute_density(pairs, network) for network in candidates])
    networks = choose_networks(candidates, values - MIN_IMPROVEMENT, n_tasks, max_networks)
    objective = sum(_compute_density(pairs, network) for network in networks)
    bound = objective if is_exact else _compute_eigenvalue_bound(pairs, max_networks)
    if not is_exact and n_tasks <= MAX_PROOF_TASKS:
        proof = prove_grouping(pairs, max_networks, objective - MIN_IMPROVEMENT, time_limit)
        bound = min(bound, max(proof.bound, objective))
        if proof.networks is not None:
            proven = sum(_compute_density(pairs, network) for network in proof.networks)
            extra_networks = len(proof.networks) - len(networks)
            if proven > objective + MIN_IMPROVEMENT * max(extra_networks, 0):
                networks, objective = proof.networks, proven
    return GroupingSolution(sorted(sorted(network) for network in networks), objective * scale, bound * scale)


def check_network_count(n_networks: int, n_tasks: int, location: str) -> None:
    """Check that tasks can be divided into a number of networks.

    Raises:
        MtlError: If there are more networks than tasks.
    """
    if n_networks > n_tasks:
        raise MtlError(f"{location}: {n_networks} networks for {n_tasks} tasks; expected at most one network per task")


def compute_objective(influence: Matrix, grouping: Sequence[Sequence[int]]) -> float:
    """Compute the objective of `find_grouping` for a grouping."""
    weighted = np.nan_to_num(influence, nan=0.0) * compute_pair_weights(len(influence), grouping)
    return float(weighted.sum())


def compute_pair_weights(n_tasks: int, grouping: Sequence[Sequence[int]]) -> Matrix:
    """Return the weight of the influence of the row's task on the column's task in a grouping, `(tasks, tasks)`."""
    weights = np.zeros((n_tasks, n_tasks))
    for network in grouping:
        weights[np.ix_(network, network)] = 1 / len(network)
    np.fill_diagonal(weights, 0.0)
    return weights


def _compute_density(pairs: Matrix, network: Sequence[int]) -> float:
    """Return the contribution of one network to the objective."""
    return float(pairs[np.ix_(network, network)].sum()) / len(network)


def _compute_eigenvalue_bound(pairs: Matrix, max_networks: int) -> float:
    """Return the sum of the largest eigenvalues, as many as networks, without negative ones."""
    largest = np.linalg.eigvalsh(pairs)[::-1][:max_networks]
    return float(np.clip(largest, 0.0, None).sum())


def _list_subsets(n_tasks: int) -> Networks:
    tasks = range(n_tasks)
    return [list(subset) for size in range(1, n_tasks + 1) for subset in combinations(tasks, size)]


def _list_clusters(pairs: Matrix, max_networks: int, seed: int) -> Networks:
    """Return the distinct clusters of agglomerative clustering, of all sizes, and of spectral clustering."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform
    from sklearn.cluster import SpectralClustering

    n_tasks = len(pairs)
    clusters = {tuple(range(n_tasks))}
    distances = pairs.max() - pairs
    np.fill_diagonal(distances, 0.0)
    for method in ("average", "complete"):
        members: list[tuple[int, ...]] = [(task,) for task in range(n_tasks)]
        for first, second, *_ in linkage(squareform(distances, checks=False), method):
            members.append(tuple(sorted(members[int(first)] + members[int(second)])))
        clusters.update(members)
    similarities = np.clip(pairs, 0.0, None) + 1e-9  # connected, so that eigenvectors are unique
    for n_clusters in range(2, min(max_networks, n_tasks - 1) + 1):
        clustering = SpectralClustering(n_clusters, affinity="precomputed", random_state=seed % 2**32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # k-means finds fewer clusters if rows are equal
            labels = clustering.fit_predict(similarities)
        clusters.update(tuple(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels))
    return [list(cluster) for cluster in sorted(clusters)]
