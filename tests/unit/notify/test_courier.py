"""Messages in order, whatever happens to the server."""

from __future__ import annotations

import threading

from tests.unit.notify.receivers import wait_for
from zeroth.errors import UserError
from zeroth.notify.courier import Courier, Message
from zeroth.spec.fetch.found import Unreachable


def _message(number: int, *, droppable: bool = False) -> Message:
    return Message(number, "x", str(number).encode(), droppable)


def test_order_is_kept_over_failures() -> None:
    got: list[int] = []
    failures = {1: 2, 3: 1}

    def send(message: Message) -> None:
        if failures.get(message.number, 0):
            failures[message.number] -= 1
            raise Unreachable("away")
        got.append(message.number)

    courier = Courier("place", send, pause=0.01)
    for number in range(1, 6):
        courier.put(_message(number))
    assert courier.close(20) == ""
    assert got == [1, 2, 3, 4, 5]
    assert courier.idle


def test_what_is_refused_is_left_out_and_told() -> None:
    got: list[int] = []

    def send(message: Message) -> None:
        if message.number == 2:
            raise UserError("the server answered 413")
        if message.number == 3:
            raise ZeroDivisionError("a defect")
        got.append(message.number)

    courier = Courier("place", send)
    for number in range(1, 5):
        courier.put(_message(number))
    assert courier.close(20) == "place was not told everything: the server answered 413"
    assert got == [1, 4]


def test_putting_never_waits_and_closing_not_for_ever() -> None:
    stuck = threading.Event()

    def send(message: Message) -> None:
        stuck.wait(600)

    courier = Courier("place", send, most=10)
    courier.put(_message(1))
    for number in range(2, 50):
        courier.put(_message(number, droppable=number > 5))
    assert not courier.idle
    assert courier.close(0.1) == "place was not told everything: it takes too long"
    stuck.set()


def test_too_much_drops_what_can_be_spared() -> None:
    got: list[int] = []
    gate, begun = threading.Event(), threading.Event()

    def send(message: Message) -> None:
        begun.set()
        gate.wait(20)
        got.append(message.number)

    courier = Courier("place", send, most=4)
    courier.put(_message(1, droppable=True))
    assert begun.wait(20)
    for number in range(2, 9):
        courier.put(_message(number, droppable=number % 2 == 0))
    gate.set()
    assert courier.close(20) == "place was not told everything: 3 messages were left out while it was away"
    assert got == [1, 3, 5, 7, 8]


def test_a_server_that_never_comes() -> None:
    def send(message: Message) -> None:
        raise Unreachable("cannot send to place: Connection refused")

    courier = Courier("place", send, pause=0.01)
    courier.put(_message(1))
    assert courier.close(0.2) == "place was not told everything: cannot send to place: Connection refused"


def test_closing_cuts_a_long_pause_short() -> None:
    tried: list[int] = []

    def send(message: Message) -> None:
        tried.append(message.number)
        if len(tried) == 1:
            raise Unreachable("away")

    courier = Courier("place", send, pause=25)
    courier.put(_message(1))
    assert wait_for(lambda: len(tried) == 1)
    assert courier.close(20) == ""
