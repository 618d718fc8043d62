"""The rules of a connection, without a socket."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.protocol.close_codes import FINAL, CloseCode, may_resume
from app.protocol.connection import (
    Close,
    Connection,
    Error,
    Follow,
    Limits,
    Pong,
    Reply,
    StartRun,
    StopRun,
    Unfollow,
    Welcome,
)
from app.protocol.frames import (
    MAX_THREADS,
    MAX_WATCHED,
    Ack,
    BadFrame,
    Hello,
    Ping,
    RefusedCommand,
    ReplyFrame,
    Run,
    Stop,
    Subscribe,
    ThreadPosition,
    Unsubscribe,
    Unwatch,
    Watch,
)
from app.protocol.watched import Unwatching, Watching

A, B = UUID(int=1), UUID(int=2)


def run(command_id: str = "r", thread: UUID = A, name: str = "run-1", text: str = "hi") -> Run:
    return Run(
        id=command_id,
        thread_id=thread,
        run_id=UUID(int=9),
        run_name=name,
        message_id=UUID(int=8),
        text=text,
        agent=None,
        mode="answer",
        from_message_id=None,
    )


@pytest.fixture
def new() -> Connection:
    return Connection(Limits(), now=0.0)


@pytest.fixture
def greeted(new: Connection) -> Connection:
    new.receive(Hello(1, "h", "1.0"), now=0.0)
    return new


def test_hello_is_welcomed_and_its_threads_followed(new: Connection) -> None:
    hello = Hello(1, "h", "1.0", (ThreadPosition(A, 3), ThreadPosition(B, 0)), True)
    assert new.receive(hello, now=0.0) == [
        Welcome("h", True),
        Follow(A, 3, None, "h"),
        Follow(B, 0, None, "h"),
    ]
    assert new.greeted
    assert new.receive(hello, now=0.0) == [Welcome("h", True)], "the same hello, the same answer"


@pytest.mark.parametrize(
    "frame", [Ping(1, "p"), run(), Stop(1, "s", "x"), RefusedCommand("r", "too_large", "No.")]
)
def test_nothing_comes_before_hello(new: Connection, frame: Any) -> None:
    error, close = new.receive(frame, now=0.0)
    assert isinstance(error, Error)
    assert error.code == "hello_required"
    assert close == Close(CloseCode.BAD_CLIENT, "hello first")
    assert new.receive(Hello(1, "h", "1.0"), now=0.0) == [], "closed is closed"


@pytest.mark.parametrize(("version", "welcome"), [("1.0", True), ("1.7", True), ("2.0", False)])
def test_a_protocol_of_another_major_version_is_turned_away(
    new: Connection, version: str, welcome: bool
) -> None:
    actions = new.receive(Hello(1, "h", version), now=0.0)
    assert isinstance(actions[0], Welcome if welcome else Error)
    assert new.closed is not welcome


def test_a_second_hello_is_a_bad_frame(greeted: Connection) -> None:
    [error] = greeted.receive(Hello(1, "h2", "1.0"), now=0.0)
    assert isinstance(error, Error)
    assert (error.code, error.ref) == ("hello_twice", "h2")


def test_commands_become_actions(greeted: Connection) -> None:
    assert greeted.receive(Ping(1, "p"), now=0.0) == [Pong("p")]
    assert greeted.receive(run(), now=0.0) == [StartRun(run())]
    assert greeted.receive(Subscribe(1, "s", B, 4), now=0.0) == [Follow(B, 4, "s")]
    assert greeted.receive(Unsubscribe(1, "u", B), now=0.0) == [Unfollow(B, "u")]
    assert greeted.receive(Stop(1, "t1", "run-1"), now=0.0) == [StopRun(UUID(int=9), "t1")]
    assert greeted.receive(Stop(1, "t2", str(A)), now=0.0) == [StopRun(A, "t2")]
    [reply] = greeted.receive(Stop(1, "t3", "unheard-of"), now=0.0)
    assert isinstance(reply, Reply)
    assert reply.frame.error is not None
    assert reply.frame.error.code == "not_found"


def test_a_refused_command_is_answered_by_a_reply(greeted: Connection) -> None:
    [reply] = greeted.receive(RefusedCommand("r", "too_large", "No."), now=0.0)
    assert isinstance(reply, Reply)
    assert not reply.frame.ok


def test_a_command_sent_again_has_no_further_effect(greeted: Connection) -> None:
    greeted.receive(run(), now=0.0)
    assert greeted.receive(run(), now=0.0) == [], "its answer is still on the way"
    answer = ReplyFrame("r", ok=True, result={"seq": 0})
    greeted.answered("r", answer)
    assert greeted.receive(run(), now=0.0) == [Reply(answer)]
    [mismatch] = greeted.receive(run(text="something else"), now=0.0)
    assert isinstance(mismatch, Reply)
    assert mismatch.frame.error is not None
    assert mismatch.frame.error.code == "idempotency_mismatch"
    assert greeted.receive(run(), now=0.0) == [Reply(answer)], "the first answer stands"


def test_a_refused_command_may_be_tried_again(greeted: Connection) -> None:
    greeted.receive(run(), now=0.0)
    greeted.answered("r", ReplyFrame("r", ok=False))
    assert greeted.receive(run(), now=0.0) == [StartRun(run())]


def test_only_so_many_answers_are_remembered() -> None:
    connection = Connection(Limits(remembered_answers=2), now=0.0)
    connection.receive(Hello(1, "h", "1.0"), now=0.0)
    for number in range(3):
        connection.receive(run(f"r{number}"), now=0.0)
        connection.answered(f"r{number}", ReplyFrame(f"r{number}", ok=True))
    assert connection.receive(run("r0"), now=0.0) == [StartRun(run("r0"))]
    assert isinstance(connection.receive(run("r2"), now=0.0)[0], Reply)


def test_one_connection_follows_only_so_many_threads(greeted: Connection) -> None:
    for number in range(MAX_THREADS):
        greeted.receive(Subscribe(1, f"s{number}", UUID(int=number), 0), now=0.0)
    [full] = greeted.receive(Subscribe(1, "more", uuid4(), 0), now=0.0)
    assert isinstance(full, Reply)
    assert full.frame.error is not None
    assert full.frame.error.code == "too_many_threads"
    assert isinstance(greeted.receive(Subscribe(1, "again", UUID(int=0), 5), now=0.0)[0], Follow)
    greeted.receive(Unsubscribe(1, "leave", UUID(int=0)), now=0.0)
    assert isinstance(greeted.receive(Subscribe(1, "more", uuid4(), 0), now=0.0)[0], Follow)


def test_watching_twice_watches_once_and_each_timeframe_is_a_price_of_its_own(
    greeted: Connection,
) -> None:
    watch = Watch(1, "w1", ("GOOG", "IBM", "GOOG"), "1d")
    assert greeted.receive(watch, now=0.0) == [Watching(("GOOG", "IBM"), "1d", "w1")]
    more = Watch(1, "w2", ("IBM", "MSFT"), "1d")
    assert greeted.receive(more, now=0.0) == [Watching(("MSFT",), "1d", "w2")]
    minutes = Watch(1, "w3", ("IBM",), "1m")
    assert greeted.receive(minutes, now=0.0) == [Watching(("IBM",), "1m", "w3")]
    leave = Unwatch(1, "u", ("IBM", "AAPL"), "1d")
    assert greeted.receive(leave, now=0.0) == [Unwatching(("IBM",), "1d", "u")]
    assert len(greeted.watched) == 3


def test_one_connection_watches_only_so_many_prices_and_takes_up_all_or_nothing(
    greeted: Connection,
) -> None:
    some = tuple(f"S{number}" for number in range(MAX_WATCHED - 1))
    greeted.receive(Watch(1, "w", some, "1d"), now=0.0)
    [full] = greeted.receive(Watch(1, "more", ("A", "B"), "1d"), now=0.0)
    assert isinstance(full, Reply)
    assert full.frame.error is not None
    assert full.frame.error.code == "too_many_symbols"
    assert len(greeted.watched) == MAX_WATCHED - 1
    last = Watch(1, "last", ("A", "S0"), "1d")
    assert greeted.receive(last, now=0.0) == [Watching(("A",), "1d", "last")]
    greeted.receive(Unwatch(1, "leave", ("S0",), "1d"), now=0.0)
    [again] = greeted.receive(Watch(1, "again", ("B",), "1d"), now=0.0)
    assert isinstance(again, Watching)


def test_the_tenth_bad_frame_within_a_minute_closes(greeted: Connection) -> None:
    for number in range(9):
        assert greeted.receive(BadFrame("not_json", "No."), now=float(number)) == [
            Error("not_json", "No.")
        ]
    # The first one is a minute old: nine are left.
    assert len(greeted.receive(BadFrame("not_json", "No."), now=60.0)) == 1
    assert greeted.receive(BadFrame("not_json", "No."), now=60.5) == [
        Error("not_json", "No."),
        Close(CloseCode.BAD_CLIENT, "too many bad frames"),
    ]


def test_commands_faster_than_the_bucket_refills_close_with_a_time_to_wait() -> None:
    limits = Limits(commands_per_s=1.0, commands_burst=3)
    connection = Connection(limits, now=0.0)
    connection.receive(Hello(1, "h", "1.0"), now=0.0)
    assert connection.receive(Ping(1, "a"), now=0.0) == [Pong("a")]
    assert connection.receive(Ping(1, "b"), now=0.0) == [Pong("b")]
    assert connection.receive(Ping(1, "c"), now=1.0) == [Pong("c")]
    [close] = connection.receive(Ping(1, "d"), now=1.0)
    assert close == Close(CloseCode.TOO_FAST, "retry after 5 s")


def test_an_acknowledgement_never_goes_back(greeted: Connection) -> None:
    greeted.receive(Subscribe(1, "s", A, 0), now=0.0)
    for command_id, seq, through in (("a", 5, 5), ("b", 3, 5), ("c", 6, 6)):
        [reply] = greeted.receive(Ack(1, command_id, A, seq), now=0.0)
        assert isinstance(reply, Reply)
        assert reply.frame.applied_through_seq == through


def test_close_codes_tell_whether_to_come_back() -> None:
    for code in CloseCode:
        final = code in FINAL or code is CloseCode.NORMAL or 4400 <= code <= 4407
        assert may_resume(code) is not final
    assert may_resume(4408)
    assert may_resume(1006)


commands = st.one_of(
    st.builds(Ping, st.just(1), st.sampled_from("abc")),
    st.builds(run, st.sampled_from("abc"), st.sampled_from([A, B])),
    st.builds(Stop, st.just(1), st.sampled_from("abc"), st.sampled_from(["run-1", str(A), "?"])),
    st.builds(Subscribe, st.just(1), st.sampled_from("abc"), st.sampled_from([A, B]), st.just(0)),
    st.builds(Unsubscribe, st.just(1), st.sampled_from("abc"), st.sampled_from([A, B])),
    st.builds(Ack, st.just(1), st.sampled_from("abc"), st.sampled_from([A, B]), st.just(1)),
    st.builds(
        Watch,
        st.just(1),
        st.sampled_from("abc"),
        st.lists(st.sampled_from([f"S{n}" for n in range(60)]), min_size=1, max_size=50).map(tuple),
        st.sampled_from(["1d", "1m"]),
    ),
    st.builds(Unwatch, st.just(1), st.sampled_from("abc"), st.just(("S1", "S2")), st.just("1d")),
    st.builds(RefusedCommand, st.sampled_from("abc"), st.just("too_large"), st.just("No.")),
)


_EFFECTS = StartRun | StopRun | Follow | Unfollow | Watching | Unwatching


class Conversing(RuleBasedStateMachine):
    """Any client against the rules: one effect and one answer per command; closed is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.connection = Connection(Limits(commands_burst=30, remembered_answers=1000), now=0.0)
        self.performed: dict[str, Any] = {}
        self.greetings = 0
        self.closes = 0

    def take(self, frame: Any) -> list[Any]:
        was_closed, was_greeted = self.connection.closed, self.connection.greeted
        actions = self.connection.receive(frame, now=self.now)
        if was_closed:
            assert actions == []
        if not was_greeted:
            assert all(isinstance(a, Welcome | Follow | Error | Close) for a in actions)
        self.closes += sum(isinstance(action, Close) for action in actions)
        if any(isinstance(action, Close) for action in actions):
            assert isinstance(actions[-1], Close)
        return actions

    @rule(seconds=st.floats(0, 30))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(command_id=st.sampled_from(["h1", "h2"]))
    def greets(self, command_id: str) -> None:
        known = self.connection.greeted
        actions = self.take(Hello(1, command_id, "1.0"))
        self.greetings += not known and any(isinstance(a, Welcome) for a in actions)
        assert self.greetings <= 1

    @rule(command=commands)
    def commands_come(self, command: Any) -> None:
        for action in self.take(command):
            if isinstance(action, _EFFECTS):
                key = command.id
                assert key not in self.performed, "an effect happened twice"
                answer = ReplyFrame(key, ok=True, result={"for": key})
                self.performed[key] = (command, answer)
                self.connection.answered(key, answer)
            elif isinstance(action, Reply) and command.id in self.performed:
                first, answer = self.performed[command.id]
                if command == first:
                    assert action.frame == answer
                else:
                    assert action.frame.error is not None
                    assert action.frame.error.code == "idempotency_mismatch"

    @rule()
    def rubbish_comes(self) -> None:
        self.take(BadFrame("not_json", "No."))

    @precondition(lambda self: self.connection.greeted)
    @rule()
    def pings(self) -> None:
        actions = self.take(Ping(1, "p"))
        assert not actions or isinstance(actions[0], Pong | Close)

    @invariant()
    def closes_once_and_follows_within_bounds(self) -> None:
        assert self.closes <= 1
        assert self.connection.closed == (self.closes == 1)
        assert len(self.connection.threads) <= MAX_THREADS
        assert len(self.connection.watched) <= MAX_WATCHED


TestConversing = Conversing.TestCase
TestConversing.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


@given(st.lists(st.floats(0, 2), max_size=50))
def test_a_bucket_never_gives_more_than_its_rate(pauses: list[float]) -> None:
    limits = Limits(commands_per_s=2.0, commands_burst=5)
    connection = Connection(limits, now=0.0)
    now = taken = 0.0
    for pause in [0.0, *pauses]:
        now += pause
        frame = Ping(1, "p") if connection.greeted else Hello(1, "h", "1.0")
        taken += not any(isinstance(a, Close) for a in connection.receive(frame, now=now))
        if connection.closed:
            break
        assert taken <= 5 + 2 * now + 1e-6
