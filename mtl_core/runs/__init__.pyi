from .evaluate import evaluate_file, evaluate_test_split
from .precision import Precision, convert_precision
from .predict_inputs import iterate_predictions, predict, predict_corpus
from .prediction import Prediction, TaskPrediction
from .prediction_inputs import PredictionInput, parse_texts
from .run import resume_run, run_experiment
from .run_report import RunReport
from .saved_run import SavedRun, load_run

__all__ = [
    "Precision",
    "Prediction",
    "PredictionInput",
    "RunReport",
    "SavedRun",
    "TaskPrediction",
    "convert_precision",
    "evaluate_file",
    "evaluate_test_split",
    "iterate_predictions",
    "load_run",
    "parse_texts",
    "predict",
    "predict_corpus",
    "resume_run",
    "run_experiment",
]
