"""The decorators that turn Python loops into machine code, and the memory of it on disk.

Numba's own ``cache=True`` has three holes, all closed here: it raises at decoration when no cache directory can be
written, it shows a traceback at every start once a cache file is truncated, and it reuses machine code although a
function inlined from *another* module has changed.  With :func:`jit` a cache that cannot be used costs a
compilation, never a failure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar, cast

__all__ = ["FASTMATH", "jit", "jit_inner"]

FASTMATH: Final = frozenset({"contract"})
"""Licence given to the compiler: fuse a·b + c into one instruction, nothing else.

No reordering of sums and no assumption that NaN does not occur: a diverging run must show its NaN.
"""

_log = logging.getLogger(__name__)
_Function = TypeVar("_Function", bound=Callable[..., Any])


def jit(function: _Function) -> _Function:
    """Compile `function` with numba, without the Python interpreter, and keep the machine code on disk.

    The code is compiled at the first call with arguments of new types, and runs without the lock of the interpreter:
    threads that work on different arrays run side by side.  Division by zero gives inf or NaN, as in
    numpy.  Where the cache cannot be placed, read or written, the function is compiled in memory instead.

    Parameters
    ----------
    function : callable
        A function that numba's nopython mode accepts.  It must not capture other compiled functions in a closure
        (their identity changes from process to process, so the cache would never be hit): use module level.

    Returns
    -------
    callable
        The compiled function, called like the original; it can be called from other compiled functions.
    """
    from numba import njit

    # no entrance for callers in C: nobody comes from there, and it has to be compiled too
    options: dict[str, Any] = {"nogil": True, "no_cfunc_wrapper": True, **_arithmetic()}
    dispatcher: Any = njit(**options)(function)
    if hasattr(dispatcher, "_cache"):  # absent when NUMBA_DISABLE_JIT is set: then it is the plain function
        try:
            dispatcher._cache = _ForgivingCache(function)
        except (RuntimeError, OSError) as reason:  # RuntimeError: no directory can hold the cache
            _log.info("%s is compiled anew in every process: %s", function.__qualname__, reason)
    return cast("_Function", dispatcher)


def jit_inner(function: _Function) -> _Function:
    """Let compiled functions call `function`, which then becomes part of their machine code.

    Compiled only there, without an entrance for Python, which takes a third of the compilation of a small function;
    called from Python it runs as it is written, slowly.  A condition on ``len`` of an argument that is a tuple is
    decided before the compilation: what does not hold for this length costs nothing.

    Parameters
    ----------
    function : callable
        As for :func:`jit`.

    Returns
    -------
    callable
        `function` itself.
    """
    from numba.extending import register_jitable

    registered: Any = register_jitable(**_arithmetic())(function)
    return cast("_Function", registered)


def _arithmetic() -> dict[str, Any]:
    return {"fastmath": set(FASTMATH), "error_model": "numpy"}


class _ForgivingCache:
    """Numba's cache of one function, made unable to raise and aware of the whole subpackage.

    It offers the four things that a numba dispatcher asks of its cache; a test notices when that changes.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        caching: Any = import_module("numba.core.caching")
        self._name = function.__qualname__
        self._cache = caching.FunctionCache(function)
        self._cache._cache_file = caching.IndexDataCacheFile(
            cache_path=self._cache.cache_path,
            filename_base=self._cache._impl.filename_base,
            source_stamp=(self._cache._impl.locator.get_source_stamp(), _package_stamp()),
        )

    @property
    def cache_path(self) -> str:
        return str(self._cache.cache_path)

    def flush(self) -> None:
        try:
            self._cache.flush()
        except Exception:
            self._cache.disable()

    def load_overload(self, signature: object, target_context: object) -> Any:
        try:
            return self._cache.load_overload(signature, target_context)
        except Exception as reason:  # whatever a damaged pickle can raise
            _log.info("unreadable compilation cache of %s: %r", self._name, reason)
            self.flush()
            return None

    def save_overload(self, signature: object, compiled: object) -> None:
        try:
            self._cache.save_overload(signature, compiled)
        except Exception as reason:
            _log.info("the compilation cache of %s cannot be written: %r", self._name, reason)
            self._cache.disable()


@lru_cache(maxsize=1)
def _package_stamp() -> str:
    """Hash of every module of this subpackage, because a loop may hold code inlined from any of them."""
    digest = sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
