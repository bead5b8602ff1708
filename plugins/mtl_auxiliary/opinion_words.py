"""The spec of the auxiliary tasks that predict whether the input contains positive and negative opinion words."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from mtl_auxiliary.log_odds import compute_log_odds, select_top_words
from mtl_auxiliary.main_labels import collect_label_names, get_label_names, get_main_labels
from mtl_auxiliary.word_counts import count_words, iterate_words, normalize_word, require_words
from mtl_auxiliary.word_list import read_word_list
from mtl_core import (
    AuxiliaryData,
    AuxiliarySpec,
    AuxiliaryTask,
    Binary,
    HeadField,
    InputFile,
    MtlError,
    default_type,
    did_you_mean,
    join_names,
)

Labels = Annotated[list[str], Field(min_length=1)]


class OpinionWords(AuxiliarySpec):
    """Selective unsupervised: whether the input contains a positive word, and whether it contains a negative one.

    Two tasks, `NAME.positive` and `NAME.negative`, after Yu and Jiang (2016). Words are selected from the training
    examples by the log-odds ratio with an informative Dirichlet prior (Monroe et al., 2008) between the examples
    with only positive labels and the examples with only negative labels. Yu and Jiang use another statistic, and
    remove the words from the input of these tasks; here they remain in the input.
    """

    type: Literal["opinion-words"] = "opinion-words"
    main_tasks: Labels | None = None
    """Names of the main tasks whose labels are used; all main tasks by default."""
    positive: Labels = ["positive"]
    """Labels that make an example positive."""
    negative: Labels = ["negative"]
    """Labels that make an example negative."""
    max_words: PositiveInt = 100
    """Maximum number of words per polarity."""
    min_count: PositiveInt = 3
    """Minimum number of occurrences of a word in the training data."""
    min_score: NonNegativeFloat = 1.0
    """Minimum z-score of a word: its log-odds ratio in standard deviations."""
    max_df: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Maximum share of the training inputs that contain a word; it excludes function words ("is", "was")."""
    positive_words: InputFile | None = None
    """A file of positive words, instead of selected ones: one word per line, comments start with `#` or `;`."""
    negative_words: InputFile | None = None
    """A file of negative words, in the same format."""
    head: HeadField = default_type("linear")
    """The head of each of the two tasks, which predicts one binary output per input."""

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Select the words, search for them in every input, and build the two tasks.

        Raises:
            MtlError: If no input contains words, labels are missing, no word is selected, or a file is malformed.
        """
        require_words(data)
        kind = Binary(classes=["no", "yes"], positive="yes")
        tasks = []
        for polarity, words in zip(("positive", "negative"), self.select_words(data), strict=True):
            opinion_words = set(words)
            contains_word = [
                any(normalize_word(word) in opinion_words for word in text_words) for text_words in iterate_words(data)
            ]
            if not any(contains_word[row] for row in data.train_rows.tolist()):
                raise MtlError(
                    f"no training input contains one of the {len(opinion_words)} {polarity} words "
                    f"({join_names(words, 5)})"
                )
            labels = ["yes" if is_match else "no" for is_match in contains_word]
            note = f"{len(words)} {polarity} words: {join_names(words, 10)}"
            tasks.append(AuxiliaryTask(f"{self.task_name}.{polarity}", kind, self.head, labels, [note]))
        return tasks

    def select_words(self, data: AuxiliaryData) -> tuple[list[str], list[str]]:
        """Return the positive and the negative words, by descending score; words of a file in the file's order.

        Raises:
            MtlError: If labels are missing, no word is selected, or a file is malformed.
        """
        positive = None if self.positive_words is None else read_word_list(self.positive_words)
        negative = None if self.negative_words is None else read_word_list(self.negative_words)
        if positive is None or negative is None:
            scores = self._compute_scores(data)
            positive = positive or self._select_strongest(scores, "positive")
            negative = negative or self._select_strongest({word: -score for word, score in scores.items()}, "negative")
        return positive, negative

    def _compute_scores(self, data: AuxiliaryData) -> dict[str, float]:
        """Return a mapping of word to z-score, above 0 for words of positive examples."""
        columns = get_main_labels(data, self.main_tasks)
        train = data.train_rows.tolist()
        rows_by_polarity: dict[str, list[int]] = {"positive": [], "negative": []}
        for row in train:
            names = {name for column in columns.values() for name in get_label_names(column[row])}
            positive, negative = bool(names & set(self.positive)), bool(names & set(self.negative))
            if positive != negative:
                rows_by_polarity["positive" if positive else "negative"].append(row)
        for polarity, rows in rows_by_polarity.items():
            if not rows:
                expected_labels, known_labels = getattr(self, polarity), collect_label_names(columns, train)
                suggestion = next((hint for name in expected_labels if (hint := did_you_mean(name, known_labels))), "")
                raise MtlError(
                    f"{polarity}: no training example has one of the labels {join_names(expected_labels)} "
                    f"and none of the opposite{suggestion} (labels of {join_names(columns)}: "
                    f"{join_names(known_labels)}); name the labels, or set both "
                    "`positive_words` and `negative_words`"
                )
        counts = count_words(data, train)
        scores = compute_log_odds(
            count_words(data, rows_by_polarity["positive"]), count_words(data, rows_by_polarity["negative"]), counts
        )
        document_counts = Counter(word for row in train for word in {normalize_word(word) for word in data.words(row)})
        max_documents = self.max_df * len(train)
        return {
            word: score
            for word, score in scores.items()
            if counts[word] >= self.min_count and document_counts[word] <= max_documents and any(map(str.isalpha, word))
        }

    def _select_strongest(self, scores: dict[str, float], polarity: str) -> list[str]:
        words = select_top_words(scores, self.max_words, self.min_score)
        if not words:
            raise MtlError(
                f"no training word is associated with {polarity} labels: it needs at least "
                f"{self.min_count} occurrences (`min_count`), in at most {self.max_df:.0%} of the inputs "
                f"(`max_df`), and a z-score of at least {self.min_score:g} (`min_score`); or set "
                f"`{polarity}_words: FILE`"
            )
        return words
