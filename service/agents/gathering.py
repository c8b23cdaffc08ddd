"""What many ask for at the same time is carried out together: one transaction instead of many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from service.errors import DatabaseUnavailable

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Gathering(Generic[Question, Answer]):
    """For the tasks of one event loop; questions are answered in the order in which they are asked.

    ``carry_out`` answers up to ``most`` of them, in a thread. An exception in its list is the answer to one of them. If
    it raises instead, each is asked alone, so that nobody suffers for the neighbours; unless the database is away.
    """

    def __init__(self, carry_out: Callable[[Sequence[Question]], Sequence[Answer | Exception]], most: int) -> None:
        self._carry_out = carry_out
        self._most = most
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._work: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """The answer; raises it where it is an exception. Who goes away before it was begun is not answered."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._work is None:
            self._work = asyncio.create_task(self._answer_all())
        return await future

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                batch = [(question, future) for question, future in batch if not future.done()]
                answers = await asyncio.to_thread(self._answers, [question for question, _ in batch])
                for (_, future), answer in zip(batch, answers, strict=True):
                    _deliver(future, answer)
        finally:
            self._work = None

    def _answers(self, questions: Sequence[Question]) -> Sequence[Answer | Exception]:
        if not questions:
            return []
        try:
            return self._carry_out(questions)
        except DatabaseUnavailable as error:
            return [error] * len(questions)
        except Exception as error:
            if len(questions) == 1:
                return [error]
            return [answer for question in questions for answer in self._answers([question])]


def _deliver(future: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    if future.done():
        return  # who asked is gone
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
