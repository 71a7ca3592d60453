from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from made_up_runs import Inline

from cardionets_core.options import Given
from cardionets_core.study.jobs import Job
from cardionets_core.study.running import carry_out
from cardionets_core.study.workers import JobResult
from cardionets_core.train.request import TrainRequest


def job(name, *needs, cost=1.0):
    return Job(name, TrainRequest({}, Given("tiny"), Path(name)), needs, cost=cost)


JOBS = [
    job("ssl", cost=9),
    job("cmr", cost=5),
    job("aligned", "ssl", "cmr"),
    job("fit-ssl", "ssl"),
    job("fit-aligned", "aligned"),
    job("fit-scratch"),
]


class Later:
    """A pool whose runs end when the test says so."""

    def __init__(self, count):
        self.count, self.running, self.renewed = count, {}, 0

    def submit(self, request):
        future: Future[JobResult] = Future()
        self.running[str(request.out)] = future
        return future

    def renew(self):
        self.renewed += 1


def pool_of(run):
    return Inline(run=lambda request: run(str(request.out)))


def test_every_job_runs_after_its_needs():
    pool = pool_of(lambda _: None)
    ended = carry_out(JOBS, pool)
    assert all(end.status == "finished" for end in ended)
    place = {name: i for i, name in enumerate(pool.submitted)}
    assert all(place[need] < place[j.name] for j in JOBS for need in j.needs)
    assert len(place) == len(JOBS)


def test_failed_job_stops_its_dependants_alone():
    ended = {
        end.job.name: end
        for end in carry_out(JOBS, pool_of(lambda n: JobResult("no space") if n == "cmr" else None))
    }
    assert ended["cmr"].status == "failed"
    assert ended["cmr"].reason == "no space"
    assert ended["aligned"].status == ended["fit-aligned"].status == "left out"
    assert ended["aligned"].reason == "it needs cmr"
    finished = {name for name, end in ended.items() if end.status == "finished"}
    assert finished == {"ssl", "fit-ssl", "fit-scratch"}


def test_no_more_runs_at_once_than_there_are_workers():
    pool = Later(2)
    most = []

    def end_one(futures, return_when):
        most.append(len([f for f in pool.running.values() if not f.done()]))
        name = next(name for name, future in pool.running.items() if not future.done())
        pool.running[name].set_result(JobResult(seconds=1))
        return {pool.running[name]}, set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cardionets_core.study.running.wait", end_one)
        ended = carry_out(JOBS, pool)
    assert len(ended) == len(JOBS)
    assert max(most) == 2


def test_run_whose_process_died_is_tried_once_more_and_then_failed():
    pool = Inline(run=lambda _: None)
    tries = []

    def die(request):
        tries.append(str(request.out))
        raise BrokenProcessPool("died")

    pool.run = die
    ended = carry_out([job("ssl"), job("fit-ssl", "ssl")], pool)
    assert tries == ["ssl", "ssl"]
    assert ended[0].status == "failed"
    assert "died 2 times" in ended[0].reason
    assert ended[1].status == "left out"


def test_interruption_passes_through():
    def interrupted(futures, return_when):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cardionets_core.study.running.wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            carry_out(JOBS, Later(2))


def test_each_end_is_told_as_it_comes():
    told = []
    carry_out(JOBS, pool_of(lambda _: None), on_end=lambda end: told.append(end.job.name))
    assert sorted(told) == sorted(j.name for j in JOBS)
