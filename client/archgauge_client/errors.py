"""What can go wrong when a service is asked.

ArchGaugeError (Exception)
├── NotAModel                   (also a ValueError) the file or bytes are neither ONNX nor a JSON graph
├── ServiceUnreachable          no answer: nothing listens there, the connection broke or the time ran out
└── ProblemError                the service answered with a problem document (RFC 9457), kept in ``problem``
    ├── InvalidRequest          4xx: the request or its architecture is wrong
    │   ├── NotFound            404: no such target, predictor or prediction; ``problem.known`` lists what there is
    │   └── UnpriceableArchitecture  422: no source can price some kernels; ``operators`` lists them
    ├── NoPredictor             409: nothing has been profiled and promoted yet
    ├── Overloaded              429, 503: still so after all retries
    └── ServerError             other 5xx
"""

from __future__ import annotations

from archgauge_client.wire import Problem


class ArchGaugeError(Exception):
    """Anything that this package raises on purpose."""


class NotAModel(ArchGaugeError, ValueError):
    """The file or bytes are no architecture; the message says what is wrong with them."""


class ServiceUnreachable(ArchGaugeError):
    """The service gave no answer."""


class ProblemError(ArchGaugeError):
    """The service refused; ``problem`` is its document and ``status`` the HTTP status."""

    def __init__(self, problem: Problem) -> None:
        text = problem.title if problem.detail is None else f"{problem.title}: {problem.detail}"
        super().__init__(text if problem.request_id is None else f"{text} (request {problem.request_id})")
        self.problem = problem
        self.status = problem.status


class InvalidRequest(ProblemError):
    """The request has to be changed before it can succeed."""


class NotFound(InvalidRequest):
    """What was asked for does not exist there."""


class UnpriceableArchitecture(InvalidRequest):
    """Some operators can be priced by no source."""

    @property
    def operators(self) -> tuple[str, ...]:
        return tuple(self.problem.operators or ())


class NoPredictor(ProblemError):
    """The service has no predictor yet."""


class Overloaded(ProblemError):
    """The service has no capacity now, or the key's rate limit is used up."""


class ServerError(ProblemError):
    """The service failed."""


_BY_TYPE: dict[str, type[ProblemError]] = {
    "unpriceable-kernels": UnpriceableArchitecture,
    "no-predictor": NoPredictor,
}
_BY_STATUS: dict[int, type[ProblemError]] = {404: NotFound, 429: Overloaded, 503: Overloaded}


def from_problem(problem: Problem) -> ProblemError:
    """The exception for a problem document: by its type, else by its status."""
    kind = _BY_TYPE.get(problem.slug) or _BY_STATUS.get(problem.status)
    if kind is None:
        kind = InvalidRequest if problem.status < 500 else ServerError
    return kind(problem)
