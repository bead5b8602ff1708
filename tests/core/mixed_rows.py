"""Rows of a text, three numbers and a category, with labels that depend on all of them."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

INPUTS = {"review": "text", "price": "number", "wait": "number", "seats": "number", "cuisine": "category"}
POSITIVE, NEGATIVE = ("good", "lovely", "kind", "fresh"), ("bad", "slow", "cold", "rude")
FILLERS = ("the", "soup", "was", "we", "had", "bread", "and", "waiter", "table", "a")
CUISINES = {"thai": 1.0, "greek": 0.4, "french": -0.4, "diner": -1.0}


def build_rows(n_rows: int, seed: int, missing: float = 0.0) -> list[dict[str, Any]]:
    """Build rows with the labels `recommend` (yes or no) and `rating` (a number).

    The score is the sum of a part that only the text shows (its opinion words) and a part that only the other
    columns show (price, waiting time and cuisine); `seats` has no effect.

    Args:
        n_rows: The number of rows.
        seed: The seed of all draws.
        missing: The share of missing cells.
    """
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(n_rows):
        opinion = random.integers(-2, 3)
        words = [str(random.choice(POSITIVE if opinion > 0 else NEGATIVE)) for _ in range(abs(int(opinion)))]
        words += [str(word) for word in random.choice(FILLERS, size=5)]
        random.shuffle(words)
        price, wait = random.normal(30, 8), random.gamma(4, 5)
        cuisine = str(random.choice(list(CUISINES)))
        score = 0.7 * opinion - (price - 30) / 8 - (wait - 20) / 10 + CUISINES[cuisine] + random.normal(0, 0.3)
        row: dict[str, Any] = {
            "review": " ".join(words),
            "price": round(float(price), 2),
            "wait": round(float(wait), 1),
            "seats": int(random.integers(10, 90)),
            "cuisine": cuisine,
        }
        row = {name: None if random.random() < missing else cell for name, cell in row.items()}
        rows.append({**row, "recommend": "yes" if score > 0 else "no", "rating": round(float(score), 3)})
    return rows


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as a CSV file; missing cells are empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
