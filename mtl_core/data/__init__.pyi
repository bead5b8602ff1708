from .auxiliary_data import AuxiliaryData, AuxiliaryTask
from .class_space import ClassSpace
from .column_encoder import ColumnEncoder
from .column_types import COLUMN_TYPES, parse_input_row
from .corpus import Corpus, Label, Span, SplitName
from .corpus_rows import select_corpus_rows
from .dense_space import DenseSpace
from .disk_cache import MAX_CACHE_BYTES, DiskCache, resolve_cache_dir
from .encoder import Encoder
from .files.cells import Cells
from .files.csv_reading import allow_long_cells, build_csv_reader, explain_csv_error
from .files.extensions import validate_extension
from .files.line_reader import LineReader
from .fitted_task import FittedTask
from .label_space import LabelSpace, flatten_label
from .label_statistics import LabelStatistics
from .local_files import check_local_files_allowed
from .loss_mask import LossMask
from .masks import Mask
from .metadata import ExampleMetadata
from .sparse_row import SparseRow
from .splitting import Split, SplitUnits
from .text_inputs import replace_surrogates, validate_text

__all__ = [
    "COLUMN_TYPES",
    "MAX_CACHE_BYTES",
    "AuxiliaryData",
    "AuxiliaryTask",
    "Cells",
    "ClassSpace",
    "ColumnEncoder",
    "Corpus",
    "DenseSpace",
    "DiskCache",
    "Encoder",
    "ExampleMetadata",
    "FittedTask",
    "Label",
    "LabelSpace",
    "LabelStatistics",
    "LineReader",
    "LossMask",
    "Mask",
    "Span",
    "SparseRow",
    "Split",
    "SplitName",
    "SplitUnits",
    "allow_long_cells",
    "build_csv_reader",
    "check_local_files_allowed",
    "explain_csv_error",
    "flatten_label",
    "parse_input_row",
    "replace_surrogates",
    "resolve_cache_dir",
    "select_corpus_rows",
    "validate_extension",
    "validate_text",
]
