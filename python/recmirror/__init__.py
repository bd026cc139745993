"""Evaluates recommender policies on simulated users that mirror real ones.

    import recmirror as rm

    data = rm.Dataset.read("ml-latest-small")
    env = rm.Environment(data, population=1_000, slate=10, steps=50, seed=7)
    observation = env.reset()
    while not env.is_done:
        scores = my_model(observation.history)       # [n, items]; or slates as whole numbers [n, slate]
        outcome = env.step(scores)
        observation = env.observation()
"""

from __future__ import annotations

from ._dataset import Dataset
from ._environment import Environment
from ._experiment import Result, run
from ._fit import Alignment, Model, fit
from ._native import (
    BuiltinPolicy,
    DataError,
    Error,
    Log,
    Observation,
    Outcome,
    PolicyError,
    ScenarioError,
    Scenes,
    SlateError,
    UserModelError,
    __version__,
    use_threads,
)
from ._table import Table

RecmirrorError = Error
"""The former name of `Error`."""

__all__ = [
    "Alignment",
    "BuiltinPolicy",
    "DataError",
    "Dataset",
    "Environment",
    "Error",
    "Log",
    "Model",
    "Observation",
    "Outcome",
    "PolicyError",
    "RecmirrorError",
    "Result",
    "ScenarioError",
    "Scenes",
    "SlateError",
    "Table",
    "UserModelError",
    "__version__",
    "fit",
    "run",
    "use_threads",
]


def _name_onnx_runtime() -> None:
    """Points the native half at the library of the package `onnxruntime`, unless the user names one."""
    import importlib.util
    import os
    from pathlib import Path

    if os.environ.get("ORT_DYLIB_PATH"):
        return
    found = importlib.util.find_spec("onnxruntime")
    if found is None or not found.submodule_search_locations:
        return
    folder = Path(next(iter(found.submodule_search_locations))) / "capi"
    names = ["libonnxruntime.so.*", "libonnxruntime*.dylib", "onnxruntime.dll"]
    libraries = sorted(path for name in names for path in folder.glob(name))
    if libraries:
        os.environ["ORT_DYLIB_PATH"] = str(libraries[0])


_name_onnx_runtime()


def _register() -> None:
    """Makes the environments known to Gymnasium, where it is installed."""
    import importlib.util

    if importlib.util.find_spec("gymnasium") is None:
        return
    from gymnasium.envs.registration import register

    register(
        id="recmirror/Slates-v0",
        entry_point="recmirror.gym:SlatesEnv",
        vector_entry_point="recmirror.gym:SlatesVectorEnv",
    )


_register()
