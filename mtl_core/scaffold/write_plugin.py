"""Generation of a new plugin from templates."""

import shutil
import tempfile
from pathlib import Path
from string import Template

from mtl_core.errors import MtlError
from mtl_core.scaffold.plugin_names import PluginNames, validate_plugin_name

TEMPLATES = Path(__file__).parent / "templates"
FILES = {
    "README.md": "README.md.tmpl",
    "pyproject.toml": "pyproject.toml.tmpl",
    "{package}/__init__.py": "package.py.tmpl",
    "{package}/pooling.py": "pooling.py.tmpl",
    "{package}/{name}.yaml": "experiment.yaml.tmpl",
    "{package}/sample.csv": "sample.csv.tmpl",
    "{package}/py.typed": "",
    "tests/test_{package}.py": "test_plugin.py.tmpl",
}
"""Maps each file of the plugin to its template; an empty string for an empty file."""
LINE_LENGTH = 88
"""The default line length of ruff."""


def write_plugin(name: str, output_dir: Path) -> list[Path]:
    """Write a plugin that can be installed, run and tested without changes.

    Args:
        name: The name of the plugin and of its folder.
        output_dir: The parent folder.

    Returns:
        The plugin's folder, then its files.

    Raises:
        MtlError: If the name is invalid, the folder exists, or it cannot be written; no partial files remain.
    """
    names = validate_plugin_name(name)
    target = output_dir / name
    if target.exists() or target.is_symlink():
        raise MtlError(f"{target}: exists already; choose another name, or another folder with --out")
    if not output_dir.is_dir():
        raise MtlError(f"{output_dir}: {'not a folder' if output_dir.exists() else 'no such folder'}")
    contents = {
        path.format(name=name, package=names.package): _render_template(template, names)
        for path, template in FILES.items()
    }
    try:
        temporary_dir = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=output_dir))
    except OSError as error:
        raise MtlError(f"{output_dir}: cannot be written: {error.strerror}") from error
    try:
        for path, text in contents.items():
            (temporary_dir / path).parent.mkdir(parents=True, exist_ok=True)
            (temporary_dir / path).write_text(text, encoding="utf-8")
        temporary_dir.chmod(0o755)  # only the owner can read a temporary folder
        temporary_dir.rename(target)
    except OSError as error:
        raise MtlError(f"{target}: cannot be written: {error.strerror}") from error
    finally:
        if temporary_dir.exists():
            shutil.rmtree(temporary_dir)
    return [target, *(target / path for path in contents)]


def _render_template(template: str, names: PluginNames) -> str:
    """Render a template.

    A missing placeholder is a bug, so `substitute` may raise a KeyError.
    """
    if not template:
        return ""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return Template(text).substitute(
        name=names.name,
        package=names.package,
        type_prefix=names.type_prefix,
        loader_type=_format_type_line(names.type_prefix),
        head_type=_format_type_line(f"{names.type_prefix}-max-pooling"),
        metric_type=_format_type_line(f"{names.type_prefix}-top-two"),
    )


def _format_type_line(type_name: str) -> str:
    """Format the line that declares the type name of a spec, wrapped as by ruff."""
    line = f'type: Literal["{type_name}"] = "{type_name}"'
    if len(line) + 4 <= LINE_LENGTH:
        return line
    return f'type: Literal["{type_name}"] = (\n        "{type_name}"\n    )'
