"""The versions of the plugins and packages that an experiment uses."""

import sys
from collections.abc import Collection, Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from mtl_core.artifacts.provenance import PROJECT, PluginVersion
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.iterate_specs import iterate_specs
from mtl_core.data.input_files import hash_file, hash_files
from mtl_core.plugins.loading import list_entry_points

CORE_PACKAGES = ("torch", "numpy", "accelerate", "torchmetrics", "scikit-learn", "scikit-multilearn", "scipy")
"""Distributions that the core computes with."""


def find_package_versions(config: ExperimentConfig) -> dict[str, str]:
    """Return the version of this project, of the packages of every run, and of those that components name."""
    from mtl_core import __version__

    named_packages = sorted({name for spec in iterate_specs(config) for name in spec.list_packages()})
    versions = {PROJECT: __version__}
    for name in (*CORE_PACKAGES, *named_packages):
        try:
            versions[name] = version(name)
        except (PackageNotFoundError, ValueError):
            continue
    return versions


def find_plugin_versions(config: ExperimentConfig) -> dict[str, PluginVersion]:
    """Return the plugins that provide the components of an experiment, by the name of their module or file."""
    modules = {type(spec).__module__ for spec in iterate_specs(config)}
    distributions = _find_distributions({module.partition(".")[0] for module in modules} - {"mtl_core"})
    plugins = {}
    for module in sorted(modules):
        package = module.partition(".")[0]
        if package in distributions:
            name = distributions[package]
            plugins[package] = PluginVersion(name, version(name), None)
        elif package != "mtl_core":
            plugins |= _describe_source(package)
    return plugins


def _find_distributions(packages: Collection[str]) -> dict[str, str]:
    """Return the distributions of packages, by package; packages without one are omitted."""
    by_entry_point = {entry.module.partition(".")[0]: distribution for distribution, entry in list_entry_points()}
    found = {package: by_entry_point[package] for package in packages if package in by_entry_point}
    missing = [package for package in packages if package not in found and _is_in_site_packages(package)]
    if missing:  # reads the metadata of all installed distributions, which may take a second
        by_package: Mapping[str, list[str]] = packages_distributions()
        found |= {package: by_package[package][0] for package in missing if by_package.get(package)}
    return found


def _is_in_site_packages(package: str) -> bool:
    """Return whether a module was copied by an installer, so that the version of its distribution describes it."""
    file = getattr(sys.modules.get(package), "__file__", None) or ""
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


def _describe_source(package: str) -> dict[str, PluginVersion]:
    """Return the digest of a module or package outside distributions, under its name or file name."""
    module = sys.modules.get(package)
    file = getattr(module, "__file__", None)
    if file is None or not Path(file).is_file():
        return {package: PluginVersion(None, None, None)}
    path = Path(file)
    if path.name == "__init__.py":
        sources = sorted(path.parent.rglob("*.py"))
        return {package: PluginVersion(None, None, hash_files(path.parent, sources))}
    return {path.name: PluginVersion(None, None, hash_file(path))}
