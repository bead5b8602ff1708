"""A model: tasks, a backbone, and how they are trained together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtl_core.api.blocks import Block, ModulePart, Part, build_block, find_used_parts
from mtl_core.api.data import Data
from mtl_core.api.experiment import PythonExperiment
from mtl_core.api.run import Run, train_run
from mtl_core.api.task import Task, parse_tasks
from mtl_core.api.yaml_export import write_experiment
from mtl_core.config.load import load_experiment
from mtl_core.config.overrides import apply_overrides
from mtl_core.config.training import InitFrom, InteractionConfig, Training
from mtl_core.errors import MtlError
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry

DEFAULT_HEADS = {"example": "linear", "token": "token-linear", "pixel": "dense-conv"}
"""Level of a task kind to the type of its default head."""


class Model:
    """A multi-task model that is not trained yet; `fit` trains it on data and returns a run.

    A model is a declaration, as the keys of a YAML file are: training does not change it.

    Args:
        tasks: The tasks; a name is a classification task.
        backbone: The network that all tasks share: a name, a block, a spec, a torch module, its class, or a function
            of the feature shape that builds one. Every network starts with the weights of a module instance; a class
            or function draws new weights from the seed.
        name: The name of the experiment.
        encoders: Input column to its encoder, for columns whose default encoder is not wanted.
        fusion: How the features of several input columns are joined; by default, columns that are no sequence are
            added to each token of the only sequence, or all are concatenated.
        architecture: Which layers the tasks share.
        auxiliary: Auxiliary tasks, which are trained to improve the others.
        weighting: How the losses of the tasks are combined.
        optimizer: The optimizer.
        schedule: The learning rate schedule.
        training: Settings of the training that `fit` has no arguments for.
        interactions: Measurements of task interactions.
        init_from: A trained run to initialise weights from.
        plugins: Plugins that are not installed: module names, or paths of `.py` files.

    Raises:
        MtlError: If an argument is not of the stated type. Names are looked up by `fit`.

    Example:
        >>> model = Model(tasks=[Task("topic"), Task("rating", kind="regression")], weighting="uncertainty")
        >>> model
        Model(tasks=[Task('topic'), Task('rating', kind='regression')], backbone='mlp', weighting='uncertainty')
    """

    def __init__(
        self,
        tasks: Sequence[Task | str],
        backbone: ModulePart = "mlp",
        *,
        name: str = "model",
        encoders: Mapping[str, Part] | None = None,
        fusion: Part | None = None,
        architecture: Part | None = None,
        auxiliary: Sequence[Part] = (),
        weighting: Part | None = None,
        optimizer: Part | None = None,
        schedule: Part | None = None,
        training: Training | None = None,
        interactions: InteractionConfig | None = None,
        init_from: InitFrom | None = None,
        plugins: Sequence[str] = (),
    ) -> None:
        self._plugins = _check_plugins(plugins)
        self._parts: list[object] = []
        self._value: dict[str, Any] = {"name": name}
        self._set(
            tasks,
            backbone,
            encoders,
            fusion,
            architecture,
            auxiliary or None,
            weighting,
            optimizer,
            schedule,
            training,
            interactions,
            init_from,
        )

    def _set(
        self,
        tasks: Sequence[Task | str] | None,
        backbone: ModulePart | None,
        encoders: Mapping[str, Part] | None,
        fusion: Part | None,
        architecture: Part | None,
        auxiliary: Sequence[Part] | None,
        weighting: Part | None,
        optimizer: Part | None,
        schedule: Part | None,
        training: Training | None,
        interactions: InteractionConfig | None,
        init_from: InitFrom | None,
    ) -> None:
        """Set the keys of the experiment whose argument is not None."""
        value = self._value
        if tasks is not None:
            default_heads = _find_default_heads(self._plugins)
            value["tasks"] = [self._add_block(task.build_block(default_heads)) for task in parse_tasks(tasks)]
        if encoder := self._build_encoder(encoders or {}, fusion):
            value["encoder"] = encoder
        for key, extension_point, part in (
            ("backbone", "backbones", backbone),
            ("architecture", "architectures", architecture),
            ("weighting", "weightings", weighting),
            ("optimizer", "optimizers", optimizer),
            ("schedule", "schedules", schedule),
        ):
            if part is not None:
                value[key] = self._build(part, key, extension_point)
        if isinstance(auxiliary, str) or not isinstance(auxiliary, Sequence | None):
            raise MtlError(f"auxiliary: expected a list such as ['masked-tokens'], found {auxiliary!r}")
        if auxiliary is not None:
            value["auxiliary"] = [
                self._build(part, f"auxiliary[{index}]", "auxiliary_tasks") for index, part in enumerate(auxiliary)
            ]
        for name, model_type, settings in (
            ("training", Training, training),
            ("interactions", InteractionConfig, interactions),
            ("init_from", InitFrom, init_from),
        ):
            if settings is None:
                continue
            if not isinstance(settings, model_type):
                raise MtlError(f"{name}: expected mtl.{model_type.__name__}(…), found {settings!r}")
            value[name] = settings.model_dump(mode="json", exclude_unset=True)

    @classmethod
    def from_yaml(cls, experiment: str | Path, overrides: Sequence[str] = (), plugins: Sequence[str] = ()) -> Model:
        """Load a model from an experiment file, or from a packaged experiment.

        `fit()` without data trains it on the data that the file declares.

        Args:
            experiment: The path or the name.
            overrides: `key=value` strings, as in `--set`.
            plugins: Further plugins: module names, or paths of `.py` files.

        Raises:
            MtlError: If the experiment is invalid.
        """
        config = load_experiment(experiment, overrides, plugins).config
        model = cls.__new__(cls)
        model._plugins, model._parts = [], []
        model._value = config.model_dump(mode="json", exclude={"sweep"})
        return model

    def replace(
        self,
        *,
        tasks: Sequence[Task | str] | None = None,
        backbone: ModulePart | None = None,
        encoders: Mapping[str, Part] | None = None,
        fusion: Part | None = None,
        architecture: Part | None = None,
        auxiliary: Sequence[Part] | None = None,
        weighting: Part | None = None,
        optimizer: Part | None = None,
        schedule: Part | None = None,
        training: Training | None = None,
        interactions: InteractionConfig | None = None,
        init_from: InitFrom | None = None,
    ) -> Model:
        """Return a copy in which some arguments are replaced; those that are None stay as they are.

        Raises:
            MtlError: If an argument is not of the stated type.

        Example:
            >>> Model(tasks=["topic", "polarity"]).replace(weighting="uncertainty")
            Model(tasks=[Task('topic'), Task('polarity')], backbone='mlp', weighting='uncertainty')
        """
        model = self._copy()
        model._set(
            tasks,
            backbone,
            encoders,
            fusion,
            architecture,
            auxiliary,
            weighting,
            optimizer,
            schedule,
            training,
            interactions,
            init_from,
        )
        return model

    def with_overrides(self, *overrides: str) -> Model:
        """Return a copy with other settings, as with `--set`.

        Args:
            overrides: `key=value` strings, such as `weighting=uncertainty` or `training.epochs=3`.

        Raises:
            MtlError: If a string contains no `=`, or its key passes through a value that is not a block.
        """
        model = self._copy()
        model._value = apply_overrides(self._value, overrides)[0]
        return model

    def _copy(self) -> Model:
        model = type(self).__new__(type(self))
        model._plugins, model._parts, model._value = list(self._plugins), list(self._parts), dict(self._value)
        return model

    def fit(
        self,
        data: Data | None = None,
        *,
        epochs: int | None = None,
        patience: int | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
        out: str | Path | None = None,
        progress: bool = True,
        evaluate_test: bool = True,
    ) -> Run:
        """Train the model, and evaluate it on the validation and test data.

        Args:
            data: The data; None for a model from YAML, whose file declares its data.
            epochs: The maximum number of epochs; 10 by default.
            patience: Epochs without a better validation score after which training stops; None never stops early.
            batch_size: Examples per batch; 32 by default.
            seed: The seed of all random draws; 42 by default. The same seed gives the same weights.
            out: The run directory, which must not exist; by default a temporary one, which `Run.save` copies.
            progress: Whether to show progress and write lines per epoch to the standard error.
            evaluate_test: Whether to evaluate the test data.

        Raises:
            MtlError: If an argument is invalid, or the data and the model do not fit each other.
        """
        source = self.build_experiment(data, epochs=epochs, patience=patience, batch_size=batch_size, seed=seed)
        return train_run(source, out, progress, evaluate_test)

    def build_experiment(
        self,
        data: Data | None = None,
        *,
        epochs: int | None = None,
        patience: int | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> PythonExperiment:
        """Build the experiment that `fit` trains; arguments as in `fit`.

        Raises:
            MtlError: If `data` is no `Data`, or missing for a model that declares none.
        """
        value = {**self._value, **self._build_data_blocks(data)}
        settings = {"epochs": epochs, "patience": patience, "batch_size": batch_size}
        changed = {key: setting for key, setting in settings.items() if setting is not None}
        value["training"] = {**value.get("training", {}), **changed}
        if seed is not None:
            value["seed"] = seed
        return PythonExperiment(value, find_used_parts(value, self._parts), self._plugins)

    def to_yaml(self, path: str | Path, data: Data | None = None) -> None:
        """Write the model as an experiment file, which `mtl run` trains to the same weights.

        Args:
            path: The file, which must not exist.
            data: The data. Tables in memory are written next to the file as JSON Lines. Without data, the file has no
                key `data`, and `mtl run` needs it as an override.

        Raises:
            MtlError: If a part has no name, since it is registered by no plugin; or if data cannot be written.
        """
        write_experiment(Path(path), self._value, find_used_parts(self._value, self._parts), self._plugins, data)

    def _build_data_blocks(self, data: Data | None) -> dict[str, Any]:
        if isinstance(data, Data):
            return data.build_blocks() | ({"data_sets": {}} if self._value.get("data_sets") else {})
        if data is None:
            if "data" in self._value or "data_sets" in self._value:
                return {}
            raise MtlError("fit needs data: mtl.Data.from_frame(df, inputs={…}, labels=[…])")
        if isinstance(data, str | Path):
            raise MtlError(
                f"expected mtl.Data, found '{data}'; `mtl.Model.from_yaml('{data}').fit()` trains an experiment file, "
                f"and `mtl.Data.from_file('{data}', …)` reads a table"
            )
        raise MtlError(
            f"expected mtl.Data, found a {type(data).__name__}; `mtl.Data.from_frame(…)` reads tables, "
            "`mtl.Data.from_arrays(…)` arrays"
        )

    def _build(self, part: object, key: str, extension_point: str) -> Any:
        return self._add_block(build_block(part, key, extension_point))

    def _add_block(self, block: Block) -> Any:
        self._parts += [part for part in block.parts if part not in self._parts]
        return block.value

    def _build_encoder(self, encoders: Mapping[str, Part], fusion: Part | None) -> dict[str, Any]:
        encoder: dict[str, Any] = {}
        if not isinstance(encoders, Mapping):
            raise MtlError(f"encoders: expected a dict of encoders by input column, found {encoders!r}")
        if encoders:
            encoder["columns"] = {
                name: self._build(part, f"encoders['{name}']", "encoders") for name, part in encoders.items()
            }
        if fusion is not None:
            encoder["fusion"] = self._build(fusion, "fusion", "fusions")
        return {"type": "columns", **encoder} if encoder else {}

    def __repr__(self) -> str:
        tasks = [_format_task(task) for task in self._value["tasks"]]
        parts = [f"tasks=[{', '.join(tasks)}]"]
        for key in ("backbone", "weighting"):
            block = self._value.get(key)
            if block is not None:
                parts.append(f"{key}={_format_block(block)}")
        return f"Model({', '.join(parts)})"


def _format_task(task: Mapping[str, Any]) -> str:
    kind = _format_block(task.get("kind", "classification"))
    suffix = "" if kind == "'classification'" else f", kind={kind}"
    return f"Task({task.get('name', task.get('each'))!r}{suffix})"


def _format_block(block: Any) -> str:
    if isinstance(block, Mapping):
        return str(block["name"]) if block.get("type") == "module" else repr(block.get("type"))
    return repr(block)


def _check_plugins(plugins: Any) -> list[str]:
    if isinstance(plugins, str) or not isinstance(plugins, Sequence):
        raise MtlError(f"plugins: expected a list of module names or .py files, found {plugins!r}")
    return list(plugins)


def _find_default_heads(plugins: Sequence[str]) -> dict[str, str]:
    """Return the default head of each task kind whose labels are not per example."""
    registry = Registry(load_plugins(plugins))
    return {
        name: DEFAULT_HEADS.get(str(getattr(registered[0].spec, "level", "example")), "linear")
        for name, registered in registry.get_specs("task_kinds").items()
    }
