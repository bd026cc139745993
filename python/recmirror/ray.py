"""Experiments on a Ray cluster: one task for each replication, with all its policies, so that comparisons stay paired.

    import recmirror as rm
    import recmirror.ray

    result = rm.ray.run("scenarios/movielens.toml", policies={"mine": MyPolicy}, until="ci<0.5%")

The tables and the digest are those of one machine. Data and user model are put into the object store once; a worker process
prepares them once and keeps them. A task whose worker dies is run again, and a replication counts once however often it
ran. docs/guides/ray.md describes clusters, and the cost of a task.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

try:
    import ray
    from ray.exceptions import RayTaskError, WorkerCrashedError
except ImportError as problem:  # pragma: no cover
    raise ImportError("recmirror.ray needs Ray and fsspec: pip install ray fsspec") from problem

from . import _native
from ._dataset import Dataset
from ._experiment import Options, Result, check_options, prepare, settings_of, shows_options
from ._native import Error
from ._table import Table

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Tasks that wait for a processor, for each one that runs: enough that none is idle, and few that a rule cancels.
AHEAD = 2

# What a worker process has prepared: the jobs that it met last.
_prepared: dict[str, _native.Experiment] = {}
KEPT = 4


class _Store:
    """Data sets and models in the object store, each once."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.models: dict[str, Any] = {}

    def of_data(self, data: Dataset) -> Any:
        """The reference to a data set."""
        if data.hash not in self.data:
            self.data[data.hash] = ray.put(np.frombuffer(data._native._to_bytes(), dtype=np.uint8))
        return self.data[data.hash]

    def of_model(self, path: str | None) -> Any:
        """The reference to the files of a model; `None` for users without files."""
        if path is not None and path not in self.models:
            self.models[path] = ray.put(_files(Path(path)))
        return None if path is None else self.models[path]


class _Job:
    """A run: its local state, and the inputs of its tasks."""

    def __init__(
        self, scenario: str | os.PathLike[str], options: Options, threads: int, events: str | None, store: _Store
    ) -> None:
        self.experiment = prepare(scenario, options)
        self.name = uuid.uuid4().hex
        self.done: dict[int, bytes] = {}
        users = options.get("users")
        own_users = users if hasattr(users, "respond") else None
        self.spec = ray.put(
            {
                "text": Path(scenario).read_text(encoding="utf-8"),
                "origin": os.path.abspath(scenario),
                "policies": list((options.get("policies") or {}).items()),
                "settings": settings_of(options),
                "users": own_users,
                "allow_external": options.get("allow_external", False),
                "threads": threads,
                "model": None if own_users is not None else store.of_model(self.experiment.model_path),
                "data": store.of_data(Dataset._of(self.experiment.data())),
                "events": events,
            }
        )

    def prefix(self) -> list[bytes]:
        """The results of the replications so far, from the first one without a gap."""
        found = itertools.takewhile(lambda replication: replication in self.done, itertools.count())
        return [self.done[replication] for replication in found]


@shows_options
def run(
    scenario: str | os.PathLike[str],
    *,
    until: str | None = None,
    events: str | os.PathLike[str] | None = None,
    threads: int = 1,
    retries: int = 3,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[Options],
) -> Result:
    """Runs a scenario file on Ray; arguments that `recmirror.run` has mean the same here.

    Without `ray.init` before, Ray starts on this machine. `threads` are the processors that a task asks for and uses.
    `retries` is how often a replication is run again when its worker dies. `events` is a folder that all machines share, or any URL of
    `fsspec` (`"s3://bucket/run"`): a log gets its name there when it is whole. `progress` is called for each replication that
    is done: how many are, and how many there are at most.
    """
    check_options("run", options)
    _start()
    target = _target(events)
    job = _Job(scenario, options, threads, target, _Store())
    most = job.experiment.replications
    for ended in _carry_out(iter([job]), until, threads, retries):
        if ended is not None:
            break
        if progress is not None:
            progress(len(job.done), most)
    parts = job.prefix()
    result = Result(job.experiment.put_together(parts, until))
    if target is not None:
        _finish_events(target, job.experiment, result, parts)
    return result


@shows_options
def sweep(
    scenario: str | os.PathLike[str],
    space: Mapping[str, Any],
    *,
    samples: int = 1,
    seed: int = 0,
    threads: int = 1,
    retries: int = 3,
    **options: Unpack[Options],
) -> Table:
    """Runs a scenario file for each point of a space of its keys, and gives one table: the summary of each point, with a
    column for each key.

    `space` maps keys to lists, all combinations of which are run: `{"user.taste": [2, 6], "slate": [5, 10]}`; or to samplers
    of Ray Tune (`ray.tune.uniform(0, 1)`), which are drawn `samples` times with `seed` (`ray.tune.grid_search` is a list).
    Points with the same data share them.
    """
    check_options("sweep", options)
    _start()
    store, points, places = _Store(), list(_points(space, samples, seed)), {}

    def jobs() -> Iterator[_Job]:
        # One after the other, when its first task can be given out: an experiment holds a copy of its data.
        for place, point in enumerate(points):
            settings = dict(options.get("settings") or {}) | point
            job = _Job(scenario, {**options, "settings": settings}, threads, None, store)
            places[job.name] = place
            yield job

    summaries: dict[int, Table] = {}
    for ended in _carry_out(jobs(), None, threads, retries):
        if ended is not None:
            summaries[places[ended.name]] = Result(ended.experiment.put_together(ended.prefix(), None)).summary
    columns: dict[str, list[Any]] = {}
    for place, point in enumerate(points):
        for key, value in point.items():
            columns.setdefault(key, []).extend([_cell(value)] * len(summaries[place]))
        for name, values in summaries[place].columns.items():
            columns.setdefault(name, []).extend(values)
    return Table(_native.Table.from_columns(list(columns.items())))


def _start() -> None:
    if not ray.is_initialized():
        if any(letter.isspace() for letter in sys.executable):
            # Ray passes the interpreter to a shell unquoted, and waits for workers for ever.
            raise Error(f"Ray starts no workers by {sys.executable}, whose path has a space: use an environment elsewhere")
        ray.init(include_dashboard=False, log_to_driver=False)


def _carry_out(jobs: Iterator[_Job], until: str | None, threads: int, retries: int) -> Iterator[_Job | None]:
    """Runs the replications of jobs; gives `None` for each one that is done, and then the job, where it was its last."""
    task = _replicate.options(num_cpus=threads, max_retries=retries, name="recmirror")
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call, unused-ignore]
    slots = max(1, int(resources.get("CPU", 1)) // threads)
    waiting = ((job, replication) for job in jobs for replication in range(job.experiment.replications))
    running: dict[Any, tuple[_Job, int]] = {}
    try:
        while True:
            for job, replication in itertools.islice(waiting, slots * AHEAD - len(running)):
                running[task.remote(job.name, [job.spec], replication)] = (job, replication)
            if not running:
                return
            # Ctrl-C is heard between two looks.
            ready, _ = ray.wait(list(running), num_returns=1, timeout=0.5)
            for reference in ready:
                job, replication = running.pop(reference)
                before = len(job.prefix()) if until is not None else 0
                job.done[replication] = _part(reference, replication, retries)
                yield None
                if len(job.done) == job.experiment.replications or (until is not None and _is_met(job, until, before)):
                    yield job
    finally:
        for reference in running:
            ray.cancel(reference, force=True)


def _is_met(job: _Job, until: str, before: int) -> bool:
    """True if the rule is met by the replications that came without a gap since there were `before`."""
    prefix = job.prefix()
    return any(job.experiment.is_enough(prefix[:count], until) for count in range(before + 1, len(prefix) + 1))


def _part(reference: Any, replication: int, retries: int) -> bytes:
    try:
        part: bytes = ray.get(reference)
    except RayTaskError as problem:
        cause = problem.cause
        if isinstance(cause, Error):
            raise cause from None
        raise
    except WorkerCrashedError as problem:
        raise Error(
            f"replication {replication}: its worker died {retries + 1} times; it may need more memory than a worker has"
        ) from problem
    return part


@ray.remote
def _replicate(name: str, spec: list[Any], replication: int) -> bytes:
    """Runs one replication in a worker process; what the process keeps is in its own copy of this module."""
    from recmirror.ray import replicate

    return replicate(name, spec, replication)


def replicate(name: str, spec: list[Any], replication: int) -> bytes:
    """Runs one replication of a job that is in the object store, and returns its results."""
    shared = ray.get(spec[0])
    if name not in _prepared:
        while len(_prepared) >= KEPT:
            _prepared.pop(next(iter(_prepared)))
        _prepared[name] = _prepare(shared)
    experiment = _prepared[name]
    if shared["events"] is None:
        return experiment.run_part(replication)
    with tempfile.TemporaryDirectory(prefix="recmirror-") as folder:
        logs = Path(folder) / "events"
        logs.mkdir()
        part = experiment.run_part(replication, str(logs))
        for log in sorted(Path(folder).rglob("*")):
            if log.is_file():
                _upload(log, shared["events"], log.relative_to(folder).as_posix())
    return part


def _prepare(shared: dict[str, Any]) -> _native.Experiment:
    _native.use_threads(shared["threads"])
    data = _native.Dataset._from_bytes(ray.get(shared["data"]).tobytes())

    def experiment(settings: list[tuple[str, str]]) -> _native.Experiment:
        text, origin, policies, users = shared["text"], shared["origin"], shared["policies"], shared["users"]
        return _native.Experiment(text, origin, policies, settings, data, users, shared["allow_external"])

    if shared["model"] is None:
        return experiment(shared["settings"])
    with tempfile.TemporaryDirectory(prefix="recmirror-model-") as folder:
        for file, content in ray.get(shared["model"]).items():
            (Path(folder) / file).write_bytes(content.tobytes())
        kept = [(key, value) for key, value in shared["settings"] if key not in ("user.kind", "user.path")]
        return experiment([*kept, ("user.kind", "mirror"), ("user.path", folder)])


def _files(folder: Path) -> dict[str, Any]:
    """The files of a model by their names; those of its replicates are not needed."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file())
    return {path.name: np.frombuffer(path.read_bytes(), dtype=np.uint8) for path in files}


def _target(events: str | os.PathLike[str] | None) -> str | None:
    if events is None:
        return None
    target = os.fspath(events)
    if "://" not in target:
        target = os.path.abspath(target)
        is_used = any((Path(target) / "events").glob("*"))
    else:
        target = target.rstrip("/")
        system, root = _system(target)
        is_used = bool(system.exists(f"{root}/events") and system.ls(f"{root}/events", detail=False))
    if is_used:
        raise Error(f"{target} has event logs already; name another folder, or remove its folder `events`")
    return target


def _upload(log: Path, target: str, name: str) -> None:
    """Copies a log; it gets its name when it is whole, and one that a worker that died left is replaced."""
    partial = f"{name}.{uuid.uuid4().hex}.part"
    if "://" not in target:
        path = Path(target) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, Path(target) / partial)
        os.replace(Path(target) / partial, path)
        return
    system, root = _system(target)
    system.makedirs(f"{root}/{name}".rsplit("/", 1)[0], exist_ok=True)
    system.put_file(str(log), f"{root}/{partial}")
    system.mv(f"{root}/{partial}", f"{root}/{name}")


def _system(target: str) -> tuple[Any, str]:
    try:
        import fsspec  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        raise Error(f"events go to {target}, which needs fsspec: pip install fsspec") from None
    return fsspec.core.url_to_fs(target)  # type: ignore[no-any-return, unused-ignore]


def _finish_events(target: str | None, experiment: _native.Experiment, result: Result, parts: list[bytes]) -> None:
    """Removes the logs of policies that failed and of replications that count for nothing, and writes the manifest."""
    if target is None:
        return
    failed = {policy for policy, _, _ in result.failures}
    names = experiment.policies
    kept = {
        file
        for part in parts[: result.replications]
        for policy, file in _native.part_files(part)
        if names[policy] not in failed
    }
    if "://" not in target:
        for path in (Path(target) / "events").glob("*"):
            if path.name not in kept:
                path.unlink()
        (Path(target) / "manifest.json").write_text(result._native.manifest, encoding="utf-8")
        return
    system, root = _system(target)
    for path in system.ls(f"{root}/events", detail=False):
        if path.rsplit("/", 1)[-1] not in kept:
            system.rm_file(path)
    with system.open(f"{root}/manifest.json", "w") as file:
        file.write(result._native.manifest)


def _points(space: Mapping[str, Any], samples: int, seed: int) -> Iterator[dict[str, Any]]:
    """The points of a space: all combinations of its lists, each with `samples` draws of its samplers."""
    lists = {key: given["grid_search"] if _is_grid(given) else given for key, given in space.items()}
    grid = {key: given for key, given in lists.items() if isinstance(given, Sequence) and not isinstance(given, str)}
    drawn = {key: given for key, given in lists.items() if key not in grid}
    for key, given in drawn.items():
        if not hasattr(given, "sample"):
            raise Error(f"the space has {given!r} for `{key}`; expected a list of values, or a sampler of Ray Tune")
    random = np.random.RandomState(seed)
    for _ in range(samples if drawn else 1):
        for values in itertools.product(*grid.values()):
            point = dict(zip(grid, values))
            yield point | {key: given.sample(random_state=random) for key, given in drawn.items()}


def _is_grid(given: Any) -> bool:
    return isinstance(given, Mapping) and set(given) == {"grid_search"}


def _cell(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    return value if isinstance(value, (int, float, str)) and not isinstance(value, bool) else str(value)
