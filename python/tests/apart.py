"""Work in a process of its own: where it hangs, the test fails and the others continue."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any


def _send(work: Callable[..., Any], arguments: tuple[Any, ...], answers: Any) -> None:
    try:
        answers.put((True, work(*arguments)))
    except BaseException as problem:
        answers.put((False, f"{type(problem).__name__}: {problem}"))


def apart(work: Callable[..., Any], *arguments: Any, seconds: float = 60) -> Any:
    """What `work`, a function of a module, returns in another process."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=_send, args=(work, arguments, answers))
    child.start()
    try:
        is_done, answer = answers.get(timeout=seconds)
    except Exception:
        raise AssertionError(f"{work.__name__} is not done after {seconds} s") from None
    finally:
        child.join(1)
        if child.is_alive():
            child.kill()
            child.join()
    assert is_done, answer
    return answer
