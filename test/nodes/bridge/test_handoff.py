"""Commands and service requests between two threads: each answer goes to its own question."""

import threading

from listener import wait_until
import pytest

from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.nodes.bridge.handoff import Handoff

AHEAD = BodyVelocity(forward=1.0)


def test_a_command_answers_its_own_image_alone() -> None:
    handoff = Handoff()
    handoff.put_command(1, AHEAD)
    assert handoff.wait_for_command(2, 0.01) is None
    assert handoff.wait_for_command(1, 0.01) == AHEAD


def test_a_late_outcome_answers_neither_the_next_request_nor_takes_it_away() -> None:
    handoff = Handoff()
    first = handoff.submit('land')
    assert handoff.begin_request() is first
    handoff.fail('the simulator is gone')
    second = handoff.submit('takeoff')
    handoff.finish(first, '')  # late
    assert first.outcome.result(0) == 'the simulator is gone'
    assert not second.outcome.done()
    assert handoff.begin_request() is second
    handoff.finish(second, '')
    assert second.outcome.result(0) == ''


def test_a_request_beside_another_is_refused_at_once() -> None:
    handoff = Handoff()
    handoff.submit('land')
    assert handoff.submit('reset').outcome.result(0) == 'land is still under way'
    handoff.begin_request()
    assert handoff.submit('reset').outcome.result(0) == 'land is still under way'


def test_a_request_whose_time_is_over_is_answered_and_never_begun() -> None:
    handoff = Handoff()
    request = handoff.submit('land')
    request.deadline = 0.0
    handoff.expire()
    assert request.outcome.result(0) == 'it took too long'
    assert handoff.begin_request() is None
    assert not handoff.submit('reset').outcome.done()


def test_a_request_that_was_begun_blocks_others_until_it_is_done() -> None:
    handoff = Handoff()
    request = handoff.submit('land')
    handoff.begin_request()
    request.deadline = 0.0
    handoff.expire()
    assert request.outcome.result(0) == 'it took too long'
    assert handoff.submit('reset').outcome.result(0) == 'land is still under way'
    handoff.finish(request, '')
    assert not handoff.submit('reset').outcome.done()


@pytest.mark.parametrize('wait', [lambda h: h.sleep(60.0), lambda h: h.wait_for_command(7, 60.0)])
def test_a_request_wakes_the_thread_that_flies(wait) -> None:
    handoff = Handoff()
    waiting = threading.Thread(target=wait, args=[handoff])
    waiting.start()
    handoff.submit('land')
    waiting.join(50)
    assert not waiting.is_alive()


def test_closing_answers_what_is_under_way_and_what_comes_later() -> None:
    handoff = Handoff()
    request = handoff.submit('land')
    handoff.close()
    assert request.outcome.result(0) == 'the bridge is ending'
    assert handoff.submit('land').outcome.result(0) == 'the bridge is ending'


def test_many_threads_that_ask_and_one_that_serves_lose_nothing() -> None:
    handoff, answers = Handoff(), []
    stop = threading.Event()

    def ask(number: int) -> None:
        for index in range(50):
            request = handoff.submit(f'{number}/{index}')
            answers.append((request.name, request.outcome.result(60)))

    def serve() -> None:
        while not stop.is_set():
            handoff.sleep(0.01)
            if request := handoff.begin_request():
                handoff.finish(request, f'done {request.name}')

    server = threading.Thread(target=serve)
    server.start()
    askers = [threading.Thread(target=ask, args=[number]) for number in range(4)]
    for thread in askers:
        thread.start()
    wait_until(lambda: not any(thread.is_alive() for thread in askers))
    stop.set()
    server.join()
    assert len(answers) == 200
    for name, outcome in answers:
        assert outcome in (f'done {name}',) or outcome.endswith('is still under way')
