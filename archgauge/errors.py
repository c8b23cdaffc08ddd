"""What a command says when it cannot do what was asked.

CommandError (Exception)
├── UnreadableModel    a file that is neither ONNX nor a JSON graph
└── Interrupted        the user stopped a command that keeps what it has

`explain` turns these, and the specific errors of the packages below, into the line that the user reads. Anything else
is a defect and keeps its traceback.
"""

from __future__ import annotations

_PACKAGES = {"archgauge", "archgauge_client", "graphs", "lookup_tables", "predictors", "profilers", "service"}

#: Which extra brings a module that is missing.
_EXTRAS = {
    "archgauge_client": "agent", "httpx": "agent", "pydantic": "agent", "onnxruntime": "agent",
    "pyarrow": "predict", "scipy": "predict", "sklearn": "predict", "xgboost": "predict",
    "alembic": "serve", "fastapi": "serve", "orjson": "serve", "sqlalchemy": "serve", "uvicorn": "serve",
    "psycopg": "postgres",
}  # fmt: skip


class CommandError(Exception):
    """A command failed for a reason that the user can do something about; the message says what."""


class UnreadableModel(CommandError):
    """The file is not a model."""


class Interrupted(CommandError):
    """The user pressed Ctrl-C; the message says what was kept and how to go on."""


def explain(error: BaseException) -> str | None:
    """The line to print for an error that is the user's to mend, None for a defect of ours."""
    if isinstance(error, ModuleNotFoundError):
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            return None
        return f"this command needs {error.name}, which is not installed; try: pip install 'archgauge[{extra}]'"
    if type(error).__module__.partition(".")[0] in _PACKAGES:
        known = getattr(error, "known", ())
        return f"{error} (there are: {', '.join(known)})" if known else str(error)
    if isinstance(error, OSError):
        return f"{error.strerror}: {error.filename}" if error.strerror and error.filename else str(error)
    return None


def about(subject: object, line: str) -> str:
    """An error's line that says what it is about, once."""
    return line if str(subject) in line else f"{subject}: {line}"
