"""Hierarchical clustering of tasks by the similarity of their gradients, for the map of tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.interactions import Matrix

MAX_CLUSTERS = 8
"""Maximum number of clusters of many tasks."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TaskClusters:
    """Hierarchical clusters of tasks.

    Attributes:
        order: `(tasks,)`: the indices of the tasks, so that similar tasks are neighbours.
        merges: `(tasks - 1, 4)`: the merges as in `scipy.cluster.hierarchy.linkage`.
        similarity: `(tasks, tasks)`: the symmetric similarity, in the order of the tasks; 0 for unknown pairs, NaN in
            the diagonal.
        clusters: The task indices of each cluster, in `order`.
    """

    order: Sequence[int]
    merges: Floats
    similarity: Floats
    clusters: Sequence[Sequence[int]]


def cluster_tasks(matrix: Matrix) -> TaskClusters:
    """Cluster tasks by average linkage, and order them so that similar tasks are neighbours.

    The order minimizes the sum of the distances between neighbours among the orders of the dendrogram (Bar-Joseph et
    al., 2001). A distance is the largest similarity minus the similarity.

    Args:
        matrix: `(tasks, tasks)`, two tasks or more: the similarities; None for unknown pairs, which count 0.

    Reference: Z. Bar-Joseph, D. Gifford, T. Jaakkola: Fast Optimal Leaf Ordering for Hierarchical Clustering.
    Bioinformatics 17, 2001.
    """
    from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
    from scipy.spatial.distance import squareform

    values = np.array([[0.0 if value is None else value for value in row] for row in matrix], dtype=np.float64)
    similarity: Floats = (values + values.T) / 2
    np.fill_diagonal(similarity, -np.inf)
    distances = similarity.max() - similarity
    np.fill_diagonal(distances, 0.0)
    np.fill_diagonal(similarity, np.nan)
    merges: Floats = linkage(squareform(distances, checks=False), "average", optimal_ordering=True)
    order = leaves_list(merges).tolist()
    labels = fcluster(merges, MAX_CLUSTERS, "maxclust")
    label_order = list(dict.fromkeys(labels[order].tolist()))
    clusters = [[task for task in order if labels[task] == label] for label in label_order]
    return TaskClusters(order, merges, similarity, clusters)
