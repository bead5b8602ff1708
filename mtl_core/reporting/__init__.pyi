from .blocks import Block, Cell, Collapsible, Column, FigureBlock, Page, Section, Table, TextBlock
from .figures.drawing import UNDATED_METADATA, Drawing
from .figures.forest_plot import DifferenceSeries, PlottedDifference, draw_forest_plot
from .figures.layout import COLUMN_WIDTH, add_axes, estimate_text_width
from .figures.palette import PAGE, PAPER, Palette
from .figures.style import plot_style
from .formatting import MINUS_SIGN, NO_VALUE, format_count, format_percent, join_with_and, pluralize, truncate_label
from .html_page import render_html
from .wilson_interval import Z_95
from .write import write_report

__all__ = [
    "COLUMN_WIDTH",
    "MINUS_SIGN",
    "NO_VALUE",
    "PAGE",
    "PAPER",
    "UNDATED_METADATA",
    "Z_95",
    "Block",
    "Cell",
    "Collapsible",
    "Column",
    "DifferenceSeries",
    "Drawing",
    "FigureBlock",
    "Page",
    "Palette",
    "PlottedDifference",
    "Section",
    "Table",
    "TextBlock",
    "add_axes",
    "draw_forest_plot",
    "estimate_text_width",
    "format_count",
    "format_percent",
    "join_with_and",
    "plot_style",
    "pluralize",
    "render_html",
    "truncate_label",
    "write_report",
]
