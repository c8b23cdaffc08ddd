"""What the service refuses or cannot do.

ServiceError (Exception)
├── NotThere                    (also a LookupError) no such name; ``known`` lists those that there are
│   ├── UnknownTarget
│   ├── UnknownPredictor
│   ├── UnknownTable
│   ├── UnknownPrediction
│   ├── UnknownSearchSpace
│   ├── UnknownKey
│   ├── UnknownJob
│   ├── UnknownAgent
│   ├── UnknownLease
│   └── UnknownCampaign
├── NotAuthenticated            no API key, or none that is valid
├── Forbidden                   a key without the scope, or a service without keys asked from elsewhere
├── KeysNeeded                  an enrolment token where there are no API keys
├── NoPredictor                 nothing was promoted yet: there is nobody to answer
├── NotPromotable               a predictor of an emulated target
│   └── NothingBefore           no older predictor to go back to
├── ContentConflict             something else was sent before under the same name
├── AliasInUse                  an alias that would hide a target's id
├── DamagedArtifact             a stored predictor does not agree with its checksum
├── StoreUnavailable            the shared store of versions does not answer
├── StaleFence                  an agent's task is somebody else's by now, or not wanted any more
├── LeaseLost                   a job was cancelled or taken over while a worker was at it
├── InvalidRequest              a body that is not the JSON asked for; ``errors`` lists what is wrong
│   └── MalformedJson           … not JSON at all
├── NotCompiled                 a search space that is still being compiled
├── CompilationFailed           the job that compiled a search space failed
├── LimitExceeded               ``limit`` says what was allowed
│   ├── BodyTooLarge            bytes of a body, compressed or not
│   ├── GraphTooLarge           nodes of a graph
│   └── TimeLimitExceeded       seconds of a request
├── MalformedBody               a body that does not decompress
├── SlowBody                    a body that did not arrive in time
├── UnsupportedMedia            a content type or encoding that is not accepted
├── Overloaded                  more requests waiting than can be answered in time
│   └── Stopping                … or none any more: the process is about to end
├── TooManyRequests             more requests than one client may send in that time
├── ClientGone                  the client does not wait for its answer any more
├── OutdatedDatabase            migrations are missing, or it is ahead of this version
├── DatabaseUnavailable         the database does not answer
└── NotReady                    the service cannot answer now; ``checks`` says which part is not ok, and why

`service.problems` has the one table from these (and the errors of graphs and predictors) to HTTP statuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil


class ServiceError(Exception):
    """Something that the caller is told; the message says what to do."""


class NotThere(ServiceError, LookupError):
    """Something asked for by name does not exist."""

    def __init__(self, message: str, known: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.known = tuple(known)


class UnknownTarget(NotThere):
    """No target has that id or alias."""


class UnknownPredictor(NotThere):
    """No predictor version has that name, or not for that target."""


class UnknownTable(NotThere):
    """No lookup table version has that name."""


class UnknownPrediction(NotThere):
    """No prediction is stored under that id."""


class UnknownSearchSpace(NotThere):
    """No search space has that id, and no ready one that name."""


class UnknownKey(NotThere):
    """No API key has that id."""


class UnknownJob(NotThere):
    """No job has that id."""


class UnknownAgent(NotThere):
    """No agent has that id, or that key."""


class UnknownLease(NotThere):
    """No lease has that id."""


class UnknownCampaign(NotThere):
    """No campaign has that id."""


class NotAuthenticated(ServiceError):
    """Nobody knows who asks."""

    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}


class Forbidden(ServiceError):
    """Who asks may not."""


class KeysNeeded(ServiceError):
    """The first key would be an agent's, and lock everybody else out."""


class NoPredictor(ServiceError):
    """Nobody can answer: the target, or all of them, have no promoted predictor."""


class NotPromotable(ServiceError):
    """The predictor must not answer by default."""


class NothingBefore(NotPromotable):
    """There is no older predictor to go back to."""


class AliasInUse(ServiceError):
    """The alias would hide a target's id."""


class ContentConflict(ServiceError):
    """A name that stands for one content was used for another one."""


class DamagedArtifact(ServiceError):
    """Files of the store are not what they were when they were registered."""


class StoreUnavailable(ServiceError):
    """The store of versions that several machines share does not answer; it may later."""


class StaleFence(ServiceError):
    """Somebody else carries out the agent's task by now, or nobody wants it any more."""


class LeaseLost(ServiceError):
    """Somebody else decides about the job now."""


class InvalidRequest(ServiceError):
    """The body is not what the endpoint asks for; ``errors`` holds pairs of location and message."""

    def __init__(self, message: str, errors: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class MalformedJson(InvalidRequest):
    """The body is not JSON."""


class NotCompiled(ServiceError):
    """A search space has to be compiled before it can be asked; that is under way."""


class CompilationFailed(ServiceError):
    """A search space cannot be compiled; the message is that of its job."""


class LimitExceeded(ServiceError):
    """Something is larger or takes longer than ``limit``."""

    def __init__(self, message: str, limit: float) -> None:
        super().__init__(message)
        self.limit = limit


class BodyTooLarge(LimitExceeded):
    """The body has more bytes than allowed."""


class GraphTooLarge(LimitExceeded):
    """The graph has more nodes than allowed."""


class TimeLimitExceeded(LimitExceeded):
    """The request took too many seconds."""


class MalformedBody(ServiceError):
    """The body's compression is broken."""


class SlowBody(ServiceError):
    """The body did not arrive in time."""


class UnsupportedMedia(ServiceError):
    """The content type or encoding is not accepted; ``accept_encoding`` lists the encodings that are."""

    def __init__(self, message: str, accept_encoding: str | None = None) -> None:
        super().__init__(message)
        self.accept_encoding = accept_encoding


class Overloaded(ServiceError):
    """Too many requests are waiting."""


class Stopping(Overloaded):
    """The process finishes what it has and takes nothing more."""


class TooManyRequests(ServiceError):
    """One client asks faster than it may; the header says when it may again."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.headers: Mapping[str, str] = {"Retry-After": str(max(ceil(retry_after_s), 1))}


class ClientGone(ServiceError):
    """The connection was closed while its request was worked on."""


class OutdatedDatabase(ServiceError):
    """The database has another schema than this version of ArchGauge needs."""


class DatabaseUnavailable(ServiceError):
    """The database does not answer (in time); what was asked for may be tried again."""


class NotReady(ServiceError):
    """A part that is needed for answering is not there."""

    def __init__(self, message: str, checks: Mapping[str, str]) -> None:
        super().__init__(message)
        self.checks = dict(checks)
