"""Experiments: policies x replications of a scenario."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from . import _native
from ._dataset import Dataset, native_of
from ._fit import folder_of
from ._settings import pairs
from ._table import Table

if TYPE_CHECKING:
    from typing_extensions import Unpack

TABLES = ("summary", "compare", "pairs", "finals", "series")


class Result:
    """The results of an experiment. They show as a table in a notebook; `report(path)` writes the whole report."""

    def __init__(self, native: _native.Result) -> None:
        self._native = native
        self._tables: dict[str, Table] = {}

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            self._tables[name] = Table(self._native.table(name))
        return self._tables[name]

    @property
    def summary(self) -> Table:
        """Each policy and metric over replications: mean with its 95% interval."""
        return self._table("summary")

    @property
    def compare(self) -> Table:
        """Differences from the baseline, paired by replication."""
        return self._table("compare")

    @property
    def pairs(self) -> Table:
        """Differences of all pairs of policies, adjusted for their number."""
        return self._table("pairs")

    @property
    def finals(self) -> Table:
        """Each policy, replication and metric over the whole run."""
        return self._table("finals")

    @property
    def series(self) -> Table:
        """Each policy and metric at each step: mean over replications with its interval."""
        return self._table("series")

    @property
    def digest(self) -> str:
        """The hash over all events of all policies and replications."""
        return self._native.digest

    @property
    def replications(self) -> int:
        """Replications that ran."""
        return self._native.replications

    @property
    def failures(self) -> list[tuple[str, int, str]]:
        """Policy, replication and message of each policy that failed."""
        return self._native.failures

    @property
    def until(self) -> list[str]:
        """The reason for the end of a run with a stopping rule."""
        return self._native.until

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest: enough to run the experiment again."""
        found: dict[str, Any] = json.loads(self._native.manifest)
        return found

    def report(self, path: str | os.PathLike[str]) -> None:
        """Writes the report: one HTML file that needs no network."""
        self._native.report(os.fspath(path))

    def _repr_html_(self) -> str:
        failed = "".join(f"<p>{escape(policy)}: {escape(problem)}</p>" for policy, _, problem in self.failures)
        return f"{self.summary._repr_html_()}{failed}"

    def __str__(self) -> str:
        return self._native.text()

    def __repr__(self) -> str:
        return str(self)


class Options(TypedDict, total=False):
    """What every way of running a scenario takes besides the scenario."""

    policies: Mapping[str, Any] | None
    """Policies of your own by their names."""
    data: Dataset | None
    """In place of the data set that the file names."""
    users: Any
    """In place of its user model: a fitted model, its folder, or an object with `respond(scenes)`."""
    settings: Mapping[str, Any] | None
    """In place of its keys: `{"ticks": 10, "policy.ials.factors": 16}`."""
    allow_external: bool
    """Whether a scenario may start programs, policies of the kind `external`."""


Function = TypeVar("Function", bound=Callable[..., Any])


def shows_options(function: Function) -> Function:
    """Makes `help` and notebooks show the keys of `Options` where the function has `**options`."""
    signature = inspect.signature(function)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    defaults = {"allow_external": False}
    more = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults.get(name),
            annotation=getattr(kind, "__forward_arg__", kind),
        )
        for name, kind in Options.__annotations__.items()
    ]
    function.__signature__ = signature.replace(parameters=own + more)  # type: ignore[attr-defined]
    return function


def check_options(function: str, options: Mapping[str, Any]) -> None:
    """Refuses keywords that no option has."""
    for name in options:
        if name not in Options.__annotations__:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")


def prepare(scenario: str | os.PathLike[str], options: Options) -> _native.Experiment:
    """A scenario with its data and user model, ready to run."""
    path = Path(scenario)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise _native.ScenarioError(f"cannot read the scenario {path}: {problem.strerror}") from None
    users = options.get("users")
    own_users = None if isinstance(users, str) or folder_of(users) is not None else users
    own = list((options.get("policies") or {}).items())
    data = options.get("data")
    native = None if data is None else native_of(data)
    allow_external = options.get("allow_external", False)
    return _native.Experiment(text, os.path.abspath(path), own, settings_of(options), native, own_users, allow_external)


def settings_of(options: Options) -> list[tuple[str, str]]:
    """The keys of the scenario that the options set, users without an object of their own included."""
    named = dict(options.get("settings") or {})
    users = options.get("users")
    folder = folder_of(users)
    if folder is not None:
        named |= {"user.kind": "mirror", "user.path": folder}
    elif isinstance(users, str):
        named |= {"user.kind": users}
    return pairs(named)


@shows_options
def run(
    scenario: str | os.PathLike[str],
    *,
    until: str | None = None,
    events: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> Result:
    """Runs a scenario file, with policies of your own beside those of the file.

    `policies` maps names to objects with `recommend(observation)` and optionally `observe(outcome)` and `fit(log)`, or to
    functions of the observation, or to classes. In an experiment `outcome.left` is empty and `outcome.is_done` false. Each
    replication has a policy of its own: a class is made, an object is copied; then `fit(log)` is called, once, with the log
    before the start. `data` replaces the data set of the file, `users` its user model (a fitted model, its folder, or an object with `respond(scenes)`), `settings` its
    keys: `{"ticks": 10, "policy.ials.factors": 16}`. `until` stops early, once the differences from the baseline are as
    precise as the rule asks (`"ci<0.5%"`). `events` is a folder: it gets `manifest.json` and the event logs, Parquet files in
    `events`; nothing is written unless it is given. A scenario that starts programs (policies of the kind `external`) runs only with `allow_external=True`.
    """
    check_options("run", options)
    experiment = prepare(scenario, options)
    folder = None
    if events is not None:
        folder = os.path.join(os.fspath(events), "events")
        os.makedirs(folder, exist_ok=True)
    result = Result(experiment.run(until, folder))
    if events is not None:
        with open(os.path.join(os.fspath(events), "manifest.json"), "w", encoding="utf-8") as file:
            file.write(result._native.manifest)
    return result
