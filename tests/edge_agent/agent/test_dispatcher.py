"""Jobs go to the vision process in the order of their urgency, and each is answered whatever becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge_agent.agent.dispatcher import GLANCES_WAITING_MAX, TRIES, Dispatcher, Urgency
from edge_agent.live.jobs import Answer, GlanceDone, GlanceJob, Job, JobFailed
from edge_agent.live.vision_process import VisionDied, VisionDown
from tests.edge_agent.agent.small_box import ScriptedVision, wait_for


@asynccontextmanager
async def running(vision: ScriptedVision) -> AsyncIterator[Dispatcher]:
    dispatcher, stop = Dispatcher(vision.as_process()), asyncio.Event()
    task = asyncio.create_task(dispatcher.run(stop))
    try:
        yield dispatcher
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)


def glance(name: str) -> GlanceJob:
    return GlanceJob(name, "counter")


class Gate:
    """A step that answers when it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, job: Job) -> Answer:
        await self.opened.wait()
        return JobFailed(job.job_id, "was held up")


def test_the_most_urgent_goes_first_and_of_one_urgency_the_one_that_was_due_first() -> None:
    async def scene() -> None:
        gate = Gate()
        vision = ScriptedVision(gate)
        async with running(vision) as dispatcher:
            asked = [asyncio.create_task(dispatcher.ask(glance("first"), Urgency.GLANCE))]
            await wait_for(lambda: vision.asked)
            for name, urgency, due_s in (
                ("glance", Urgency.GLANCE, 0.0),
                ("bed", Urgency.BED, 0.0),
                ("later", Urgency.FINAL, 20.0),
                ("sooner", Urgency.FINAL, 10.0),
                ("ahead", Urgency.AHEAD, 0.0),
                ("opinion", Urgency.OPINION, 30.0),
            ):
                asked.append(asyncio.create_task(dispatcher.ask(glance(name), urgency, due_s)))
            await wait_for(lambda: dispatcher.waiting == 6)
            gate.opened.set()
            answers = await asyncio.gather(*asked)
        assert vision.job_ids == ["first", "opinion", "sooner", "later", "ahead", "bed", "glance"]
        assert [answer.job_id for answer in answers] == [
            "first", "glance", "bed", "later", "sooner", "ahead", "opinion"
        ]  # fmt: skip

    asyncio.run(scene())


def test_a_process_that_is_busy_holds_up_no_job_of_another() -> None:
    async def scene() -> None:
        gate = Gate()
        busy, idle = ScriptedVision(gate), ScriptedVision()
        stop = asyncio.Event()
        dispatcher = Dispatcher(busy.as_process(), idle.as_process(), lane_of=lambda job: job.job_id.startswith("idle"))
        running = asyncio.create_task(dispatcher.run(stop))
        held = [asyncio.create_task(dispatcher.ask(glance(name), Urgency.FINAL)) for name in ("a", "b")]
        await wait_for(lambda: busy.asked)
        assert isinstance(await dispatcher.ask(glance("idle"), Urgency.FINAL), GlanceDone)
        assert (busy.job_ids, idle.job_ids, dispatcher.waiting) == (["a"], ["idle"], 1)
        gate.opened.set()
        await asyncio.gather(*held)
        stop.set()
        await asyncio.wait_for(running, 5)

    asyncio.run(scene())


def test_a_job_over_which_the_process_died_is_asked_again_and_given_up_after_some_times() -> None:
    async def scene() -> None:
        vision = ScriptedVision(VisionDied("once"), *[VisionDied("again")] * TRIES)
        vision.script.insert(1, vision.answered)
        async with running(vision) as dispatcher:
            assert isinstance(await dispatcher.ask(glance("a"), Urgency.FINAL), GlanceDone)
            answer = await dispatcher.ask(glance("b"), Urgency.FINAL)
            assert isinstance(answer, JobFailed) and answer.is_its_own and str(TRIES) in answer.why
            assert vision.job_ids == ["a", "a", *["b"] * TRIES]
            assert isinstance(await dispatcher.ask(glance("c"), Urgency.FINAL), GlanceDone)

    asyncio.run(scene())


def test_a_process_that_cannot_start_is_nobodys_fault() -> None:
    async def scene() -> None:
        async with running(ScriptedVision(VisionDown("no pack"))) as dispatcher:
            answer = await dispatcher.ask(glance("a"), Urgency.FINAL)
            assert isinstance(answer, JobFailed) and answer.vision_down and not answer.is_its_own
            assert isinstance(await dispatcher.ask(glance("a"), Urgency.FINAL), GlanceDone)

    asyncio.run(scene())


def test_an_error_nobody_thought_of_fails_its_job_and_no_other() -> None:
    async def scene() -> None:
        async with running(ScriptedVision(RuntimeError("what is this"))) as dispatcher:
            answers = await asyncio.gather(*(dispatcher.ask(glance(name), Urgency.FINAL) for name in "ab"))
            assert isinstance(answers[0], JobFailed) and answers[0].why == "RuntimeError"
            assert isinstance(answers[1], GlanceDone)

    asyncio.run(scene())


def test_too_many_glances_are_dropped_and_counted_and_checks_are_not() -> None:
    async def scene() -> None:
        gate = Gate()
        async with running(ScriptedVision(gate)) as dispatcher:
            asked = [
                asyncio.create_task(dispatcher.ask(glance(f"g{n}"), Urgency.GLANCE)) for n in range(GLANCES_WAITING_MAX)
            ]
            await asyncio.sleep(0)
            dropped = await dispatcher.ask(glance("too many"), Urgency.GLANCE)
            assert isinstance(dropped, JobFailed) and dispatcher.glances_dropped == 1
            gate.opened.set()
            answers = await asyncio.gather(*asked)
            assert sum(isinstance(answer, GlanceDone) for answer in answers) == GLANCES_WAITING_MAX - 1
            assert isinstance(await dispatcher.ask(glance("again"), Urgency.GLANCE), GlanceDone)
            assert dispatcher.glances_dropped == 1

    asyncio.run(scene())


def test_a_job_nobody_waits_for_any_more_is_not_asked() -> None:
    async def scene() -> None:
        gate = Gate()
        vision = ScriptedVision(gate)
        async with running(vision) as dispatcher:
            first = asyncio.create_task(dispatcher.ask(glance("first"), Urgency.FINAL))
            await wait_for(lambda: vision.asked)
            given_up = asyncio.create_task(dispatcher.ask(glance("given up"), Urgency.FINAL))
            await wait_for(lambda: dispatcher.waiting == 1)
            given_up.cancel()
            gate.opened.set()
            await first
            await dispatcher.ask(glance("last"), Urgency.FINAL)
        assert vision.job_ids == ["first", "last"]

    asyncio.run(scene())


def test_stopping_lets_the_job_in_hand_end_and_answers_the_rest() -> None:
    async def scene() -> None:
        gate = Gate()
        vision = ScriptedVision(gate)
        async with running(vision) as dispatcher:
            asked = [asyncio.create_task(dispatcher.ask(glance(name), Urgency.FINAL)) for name in "ab"]
            await wait_for(lambda: vision.asked)
            asyncio.get_running_loop().call_later(0.05, gate.opened.set)
        in_hand, waiting = await asyncio.gather(*asked)
        assert isinstance(in_hand, JobFailed) and in_hand.why == "was held up"
        assert isinstance(waiting, JobFailed) and "stopping" in waiting.why

    asyncio.run(scene())


def test_a_dispatcher_that_is_cut_off_leaves_nobody_waiting() -> None:
    async def scene() -> None:
        vision = ScriptedVision(Gate())
        dispatcher = Dispatcher(vision.as_process())
        task = asyncio.create_task(dispatcher.run(asyncio.Event()))
        asked = [asyncio.create_task(dispatcher.ask(glance(name), Urgency.FINAL)) for name in "ab"]
        await wait_for(lambda: vision.asked)
        task.cancel()
        answers = await asyncio.wait_for(asyncio.gather(*asked), 5)
        assert all(isinstance(answer, JobFailed) for answer in answers)

    asyncio.run(scene())
