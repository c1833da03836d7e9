"""Start the runtime for Python so that the function answers warm-up pings; see docs/warmups.md.

The wrapper script runs this file with the runtime's own script as its argument. The runtime imports the function's
module itself, so that its errors stay what they are, and gets a handler that answers pings when it asks the module for
its handler.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

# Modules that the runtime does not load itself would make INIT longer.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The module `optimizer_warmable`. The runtime leaves the first frames of files with this name out of stacks of errors.
_WARMABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "python", "bootstrap.py")


def main() -> None:
    """Prepare the function's module, and become the runtime."""
    module, _, name = os.environ.get("_HANDLER", "").rpartition(".")
    # The runtime refuses the names of builtin modules.
    if module and module.partition(".")[0] not in sys.builtin_module_names:
        prepare(module.replace("/", "."), name)
    del sys.argv[0]
    if not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(sys.argv[0])
    own, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    _execute(sys.argv[0], sys.modules["__main__"])
    # Until here its functions are in use.
    del own


def prepare(module: str, name: str) -> None:
    """Let the handler `name` of a module answer pings, whenever the module is imported."""
    if module in sys.modules:
        answer_in(sys.modules[module], name)
    else:
        sys.meta_path.insert(0, _Finder(module, name))


class _Finder:
    """Finds the function's module as all others do, and prepares it after it ran."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname != self.module:
            return None
        others = [finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec")]
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((each for each in found if each is not None), None)
        # A loader may be a class, or allow no attributes: no loader of files or archives does.
        loader = getattr(spec, "loader", None)
        if hasattr(loader, "exec_module") and hasattr(loader, "__dict__") and not isinstance(loader, type):
            self._prepare_after(loader)
        return spec

    def _prepare_after(self, loader: Any) -> None:
        run = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            vars(loader).pop("exec_module", None)
            try:
                run(module)
            except BaseException as error:
                # This frame is no part of the function's error.
                error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
                raise
            # The loader of an archive loads its other modules, too.
            if module.__name__ == self.module:
                # A module may have put another object in its place.
                answer_in(sys.modules.get(self.module, module), self.name)

        vars(loader)["exec_module"] = exec_module


def answer_in(module: Any, name: str) -> None:
    """Give the runtime a handler that answers pings when it asks a module for `name`.

    The function's own code gets what it defined: its handler may be an object that has other uses than being called.
    """
    if not isinstance(module, ModuleType):
        if hasattr(module, name):
            setattr(module, name, _warmable(getattr(module, name)))
        return
    own_code = tuple(os.path.join(folder, "") for folder in (os.environ.get("LAMBDA_TASK_ROOT", "/var/task"), "/opt"))
    kind, values = type(module), vars(module)

    def handler(_module: ModuleType) -> Any:
        if name in values:
            value = values[name]
        elif "__getattr__" in values:
            value = values["__getattr__"](name)
        else:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        is_own = sys._getframe(1).f_code.co_filename.startswith(own_code)
        return value if is_own or not callable(value) else _warmable(value)

    def replace(_module: ModuleType, value: Any) -> None:
        values[name] = value

    def remove(_module: ModuleType) -> None:
        del values[name]

    module.__class__ = type(kind.__name__, (kind,), {name: property(handler, replace, remove)})


def _warmable(handler: Any) -> Any:
    return _execute(_WARMABLE, ModuleType("optimizer_warmable"))["warmable"](handler)


def _execute(path: str, module: ModuleType) -> dict[str, Any]:
    module.__file__ = path
    with open(path, "rb") as source:
        code = compile(source.read(), path, "exec")
    exec(code, vars(module))  # noqa: S102 - the runtime's script, and a file of the layer
    return vars(module)


if __name__ == "__main__":
    main()
