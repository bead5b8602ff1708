"""Label counts of the SemEval-2014 training file, and the label imbalance of the default split."""

from collections import Counter

from absa_plugin.semeval import SemEval2014
from benchmarks.local_data import TRAIN, require_shared
from mtl_core.builtins.splitters.stratified import Stratified
from mtl_core.data.splitting import split_corpus


def main() -> None:
    """Print the counts and the largest imbalance of ten splits."""
    import numpy as np

    require_shared()
    corpus = SemEval2014(train=TRAIN).load()
    for name, column in corpus.labels.items():
        counts = Counter(column)
        counts_text = "/".join(str(counts[polarity]) for polarity in ("positive", "negative", "conflict", "neutral"))
        print(f"{name}: {counts_text} positive/negative/conflict/neutral")
    usable = np.ones(len(corpus), dtype=bool)
    imbalances = []
    for seed in range(10):
        split = split_corpus(corpus, usable, corpus.labels, Stratified(), seed)
        assert split.largest_imbalance is not None
        imbalances.append(split.largest_imbalance.points)
    largest = f"{max(imbalances):.2f} points"
    print(f"largest difference of a class share between training and validation, 10 seeds: {largest}")
