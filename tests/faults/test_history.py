"""The checker must find every kind of damage: each test plants one and expects its name."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.history import (
    Acknowledged,
    Asked,
    Killed,
    Log,
    Seen,
    StoredConversation,
    StoredCost,
    StoredMessage,
    Submitted,
    fold,
    violations,
)

CLIENTS = ("ann", "bob")


def run_events(run: str, question: str, words: list[str], end: str) -> list[dict[str, Any]]:
    """One run as its events: the message asked, the answer in pieces, an end."""
    answer = f"a-{run}"
    message = {"id": f"q-{run}", "role": "user", "content": question}
    ending: dict[str, Any] = {"type": "RUN_FINISHED", "runId": run, "outcome": {"type": end}}
    if end == "failed":
        ending = {"type": "RUN_ERROR", "code": "interrupted", "message": "The server restarted."}
    return [
        {"type": "RUN_STARTED", "threadId": "c1", "runId": run, "input": {"messages": [message]}},
        {"type": "TEXT_MESSAGE_START", "messageId": answer, "role": "assistant"},
        *({"type": "TEXT_MESSAGE_CONTENT", "messageId": answer, "delta": w} for w in words),
        {"type": "TEXT_MESSAGE_END", "messageId": answer},
        ending,
    ]


def history() -> tuple[Log, list[StoredConversation]]:
    """A conversation of three runs (finished, failed by a kill, cancelled) where all went well."""
    runs = [("r1", "success"), ("r2", "failed"), ("r3", "cancelled")]
    log, stored = Log(), StoredConversation("c1")
    status = {"success": "finished", "failed": "failed", "cancelled": "cancelled"}
    for run, end in runs:
        question = f"ask {run}"
        log.add(Submitted("ann", "c1", f"k-{run}", f"q-{run}", run, question))
        log.add(Asked("c1", run))
        if end == "failed":
            log.add(Killed("server", 1.5))
            log.add(Submitted("ann", "c1", f"k-{run}", f"q-{run}", run, question))
        log.add(Acknowledged("ann", "c1", f"k-{run}", f"q-{run}", run))
        events = run_events(run, question, ["one ", "two"], end)
        for event in events:
            stored.events.append((len(stored.events) + 1, event))
        stopped = None if end == "success" else end
        stored.messages += [
            StoredMessage(f"q-{run}", run, "user", question),
            StoredMessage(f"a-{run}", run, "assistant", "one two", stopped),
        ]
        stored.runs[run] = status[end]
        stored.costs.append(StoredCost(f"cost-{run}", run, "settled", "0.01"))
    for client in CLIENTS:
        for seq, event in stored.events:
            told = {**event, "metadata": {"outcry": {"seq": seq}}}
            log.add(Seen(client, 1 + seq // 8, "c1", seq, told))
    return log, [stored]


def seen_by(log: Log, client: str) -> list[int]:
    """Positions in the log of what `client` saw."""
    return [
        index
        for index, entry in enumerate(log.entries)
        if isinstance(entry, Seen) and entry.client == client
    ]


def test_a_history_without_damage_has_no_violation() -> None:
    assert violations(*history()) == []


def test_a_kill_between_reservation_and_request_leaves_one_entry_that_asked_nothing() -> None:
    log, stored = history()
    log.entries = [e for e in log.entries if not (isinstance(e, Asked) and e.run == "r2")]

    assert violations(log, stored) == []


def test_folding_keeps_the_partial_text_and_says_why_it_stopped() -> None:
    pieces = fold(run_events("r", "why?", ["be", "cause"], "cancelled")[:-2])
    whole = fold(run_events("r", "why?", ["be", "cause"], "cancelled"))

    assert [(p.role, p.text, p.stopped) for p in pieces] == [
        ("user", "why?", None),
        ("assistant", "because", None),
    ]
    assert whole[-1].stopped == "cancelled"


Plant = Callable[[Log, StoredConversation], None]
PLANTS: list[tuple[str, str, Plant]] = []


def plant(promise: str) -> Callable[[Plant], Plant]:
    """Register a way to damage the history, and the promise it breaks."""

    def register(damage: Plant) -> Plant:
        PLANTS.append((promise, damage.__name__, damage))
        return damage

    return register


@plant("lost-message")
def the_stored_message_is_gone(log: Log, stored: StoredConversation) -> None:
    del stored.messages[2]


@plant("lost-message")
def the_run_is_gone(log: Log, stored: StoredConversation) -> None:
    del stored.runs["r3"]


@plant("lost-message")
def the_whole_conversation_is_gone(log: Log, stored: StoredConversation) -> None:
    stored.messages, stored.events, stored.runs, stored.costs = [], [], {}, []


@plant("doubled-message")
def a_message_id_is_stored_twice(log: Log, stored: StoredConversation) -> None:
    stored.messages.append(stored.messages[0])


@plant("doubled-message")
def a_retry_was_stored_under_another_id(log: Log, stored: StoredConversation) -> None:
    stored.messages.append(replace(stored.messages[2], id="q-again"))


@plant("doubled-message")
def one_command_made_two_runs(log: Log, stored: StoredConversation) -> None:
    log.add(Acknowledged("ann", "c1", "k-r1", "q-r1", "r9"))
    stored.runs["r9"] = "finished"


@plant("changed-message")
def the_stored_text_is_another(log: Log, stored: StoredConversation) -> None:
    stored.messages[0] = replace(stored.messages[0], text="something else")


@plant("hole")
def a_client_missed_one_event(log: Log, stored: StoredConversation) -> None:
    del log.entries[seen_by(log, "bob")[4]]


@plant("hole")
def a_client_saw_the_end_before_the_middle(log: Log, stored: StoredConversation) -> None:
    early, late = seen_by(log, "bob")[4:6]
    log.entries[early], log.entries[late] = log.entries[late], log.entries[early]


@plant("hole")
def the_journal_lacks_a_number(log: Log, stored: StoredConversation) -> None:
    del stored.events[3]


@plant("hole")
def the_journal_holds_a_number_twice(log: Log, stored: StoredConversation) -> None:
    stored.events.insert(3, stored.events[3])


@plant("repeat")
def a_client_saw_an_event_again_on_the_same_socket(log: Log, stored: StoredConversation) -> None:
    log.add(log.entries[seen_by(log, "ann")[-1]])


@plant("repeat")
def a_resume_repeated_an_event(log: Log, stored: StoredConversation) -> None:
    position = seen_by(log, "ann")[8]
    entry = log.entries[position]
    assert isinstance(entry, Seen)
    log.entries.insert(position + 1, replace(entry, socket=entry.socket + 1))


@plant("diverged")
def two_clients_read_different_words(log: Log, stored: StoredConversation) -> None:
    position = seen_by(log, "bob")[2]
    entry = log.entries[position]
    assert isinstance(entry, Seen)
    log.entries[position] = replace(entry, event={**entry.event, "delta": "uno "})


@plant("diverged")
def a_shown_event_was_rewritten_in_the_journal(log: Log, stored: StoredConversation) -> None:
    seq, event = stored.events[-1]
    stored.events[-1] = (seq, {**event, "outcome": {"type": "success"}})


@plant("unseen")
def a_client_never_got_the_end(log: Log, stored: StoredConversation) -> None:
    del log.entries[seen_by(log, "bob")[-1]]


@plant("unseen")
def a_shown_event_is_not_in_the_journal(log: Log, stored: StoredConversation) -> None:
    stored.events.pop()


@plant("run-end")
def a_run_never_ends(log: Log, stored: StoredConversation) -> None:
    seq = stored.events[-1][0]
    stored.events.pop()
    log.entries = [e for e in log.entries if not (isinstance(e, Seen) and e.seq == seq)]


@plant("run-end")
def a_run_ends_twice(log: Log, stored: StoredConversation) -> None:
    seq, event = stored.events[-1]
    stored.events.append((seq + 1, event))
    for client in CLIENTS:
        log.add(Seen(client, 9, "c1", seq + 1, event))


@plant("run-end")
def the_row_says_running_after_the_end(log: Log, stored: StoredConversation) -> None:
    stored.runs["r3"] = "running"


@plant("run-end")
def the_row_says_something_else_than_the_event(log: Log, stored: StoredConversation) -> None:
    stored.runs["r2"] = "finished"


@plant("run-end")
def a_stored_run_left_no_event(log: Log, stored: StoredConversation) -> None:
    stored.runs["r9"] = "failed"


@plant("cost")
def a_reservation_was_never_settled(log: Log, stored: StoredConversation) -> None:
    stored.costs[1] = replace(stored.costs[1], status="reserved", amount=None)


@plant("cost")
def an_attempt_was_not_booked(log: Log, stored: StoredConversation) -> None:
    del stored.costs[0]


@plant("cost")
def one_attempt_was_booked_twice(log: Log, stored: StoredConversation) -> None:
    stored.costs.append(replace(stored.costs[0], id="cost-again"))


@plant("cost")
def one_entry_is_stored_twice(log: Log, stored: StoredConversation) -> None:
    stored.costs.append(stored.costs[1])


@plant("cost")
def an_entry_belongs_to_no_run(log: Log, stored: StoredConversation) -> None:
    stored.costs.append(StoredCost("cost-x", "r-unknown", "settled", "0.01"))


@plant("transcript")
def the_stored_answer_lacks_its_last_word(log: Log, stored: StoredConversation) -> None:
    stored.messages[3] = replace(stored.messages[3], text="one ")


@plant("transcript")
def the_stored_answer_does_not_say_that_it_was_stopped(
    log: Log, stored: StoredConversation
) -> None:
    stored.messages[5] = replace(stored.messages[5], stopped=None)


@plant("transcript")
def the_stored_messages_are_in_another_order(log: Log, stored: StoredConversation) -> None:
    stored.messages[1], stored.messages[2] = stored.messages[2], stored.messages[1]


@plant("transcript")
def the_partial_answer_was_thrown_away(log: Log, stored: StoredConversation) -> None:
    del stored.messages[3]


@pytest.mark.parametrize(
    ("promise", "damage"),
    [pytest.param(promise, damage, id=name) for promise, name, damage in PLANTS],
)
def test_planted_damage_is_found(promise: str, damage: Plant) -> None:
    log, stored = history()
    damage(log, stored[0])

    found = violations(log, stored)

    assert promise in {violation.promise for violation in found}, [str(v) for v in found]


def test_every_promise_of_the_checker_has_a_plant() -> None:
    promises = {
        "lost-message",
        "doubled-message",
        "changed-message",
        "hole",
        "repeat",
        "diverged",
        "unseen",
        "run-end",
        "cost",
        "transcript",
    }

    assert {promise for promise, _, _ in PLANTS} == promises
