from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__version__: str

class RecmirrorError(Exception): ...

class Dataset:
    name: str
    user_ids: list[str]
    item_ids: list[str]
    users: int
    items: int
    interactions: int
    impressions: int
    scale: tuple[float, float] | None
    notes: list[str]
    hash: str
    @staticmethod
    def _read(path: str, family: str | None = None) -> Dataset: ...
    @staticmethod
    def _from_columns(
        name: str,
        users: list[str],
        items: list[str],
        ratings: list[float | None] | None = None,
        times: list[int | None] | None = None,
    ) -> Dataset: ...

class Observation:
    step: int
    slate: int
    items: int
    users: NDArray[np.uint32]
    history: NDArray[np.int64]
    history_ratings: NDArray[np.float32]
    def candidates(self, row: int) -> NDArray[np.int64]: ...
    def mask(self) -> NDArray[np.bool_]: ...
    def __len__(self) -> int: ...

class Outcome:
    step: int
    users: NDArray[np.uint32]
    slates: NDArray[np.int64]
    accepted: NDArray[np.int64]
    accepted_items: NDArray[np.int64]
    ratings: NDArray[np.float32]
    rewards: NDArray[np.float32]
    left: NDArray[np.uint32]
    is_done: bool
    def __len__(self) -> int: ...

class Scenes:
    users: NDArray[np.uint32]
    items: NDArray[np.int64]
    memory: NDArray[np.float32]

class BuiltinPolicy:
    def recommend(self, environment: Environment) -> NDArray[np.int64]: ...
    def observe(self, environment: Environment) -> None: ...

class Environment:
    time_step: int
    steps: int
    users: int
    items: int
    is_done: bool
    digest: str
    def __init__(
        self,
        data: Dataset,
        settings: list[tuple[str, str]],
        policies: list[tuple[str, dict[str, str]]],
        dynamics: list[tuple[str, dict[str, str]]],
        users: Any = None,
    ) -> None: ...
    def reset(self, replication: int = 0) -> Observation: ...
    def observation(self) -> Observation: ...
    def step(self, slates: ArrayLike | tuple[ArrayLike, ArrayLike]) -> Outcome: ...
    def _close(self, slates: ArrayLike | tuple[ArrayLike, ArrayLike]) -> Outcome: ...
    def _open(self) -> None: ...
    def _open_again(self) -> None: ...
    def _histories(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]: ...
    def _masks(self) -> NDArray[np.int8]: ...
    def _keep_allowed(self, slates: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...
    def _restart(self, users: set[int]) -> None: ...
    def _retire(self, users: set[int]) -> None: ...
    def policy(self, name: str) -> BuiltinPolicy: ...
    def metrics(self) -> dict[str, float | None]: ...

def run(
    scenario: str,
    policies: list[tuple[str, Any]],
    settings: list[tuple[str, str]],
    data: Dataset | None = None,
    allow_external: bool = False,
) -> dict[str, Any]: ...
def main(arguments: list[str]) -> int: ...
