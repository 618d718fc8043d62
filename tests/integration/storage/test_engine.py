import asyncpg
import pytest

from app.storage.engine import is_lost, unavailable

AWAY, BUSY, FULL = "database_unavailable", "database_busy", "storage_full"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("08006", AWAY),  # connection_failure
        ("08P01", AWAY),  # protocol_violation
        ("25006", AWAY),  # read_only_sql_transaction: it became a replica
        ("25P03", AWAY),  # idle_in_transaction_session_timeout
        ("28000", AWAY),  # invalid_authorization_specification
        ("28P01", AWAY),  # invalid_password
        ("3D000", AWAY),  # invalid_catalog_name: it is being restored
        ("53000", AWAY),  # insufficient_resources
        ("53100", FULL),  # disk_full
        ("53200", AWAY),  # out_of_memory
        ("53300", AWAY),  # too_many_connections
        ("53400", AWAY),  # configuration_limit_exceeded
        ("57014", BUSY),  # query_canceled
        ("57P01", AWAY),  # admin_shutdown
        ("57P02", AWAY),  # crash_shutdown
        ("57P03", AWAY),  # cannot_connect_now
        ("57P04", AWAY),  # database_dropped
        ("57P05", AWAY),  # idle_session_timeout
        ("58000", AWAY),  # system_error
        ("58030", AWAY),  # io_error
        ("58P01", AWAY),  # undefined_file
        ("40001", BUSY),  # serialization_failure
        ("40P01", BUSY),  # deadlock_detected
        ("55P03", BUSY),  # lock_not_available
        ("22021", None),  # character_not_in_repertoire
        ("23503", None),  # foreign_key_violation
        ("23505", None),  # unique_violation
        ("25P02", None),  # in_failed_sql_transaction
        ("42501", None),  # insufficient_privilege
        ("42601", None),  # syntax_error
        ("42P01", None),  # undefined_table
        ("XX000", None),  # internal_error
    ],
)
def test_what_is_the_servers_trouble_is_worth_another_try_and_what_is_ours_is_not(
    state: str, code: str | None
) -> None:
    error = asyncpg.PostgresError.new({"C": state, "M": "said so", "S": "ERROR", "V": "ERROR"})
    assert error.sqlstate == state

    refusal = unavailable(error)

    assert (refusal and refusal.code) == code


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("reset"),
        FileNotFoundError("no socket"),
        TimeoutError(),
        asyncpg.InterfaceError("cannot perform operation: connection is closed"),
        asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
        asyncpg.InterfaceError(
            "cannot use Connection.transaction() in a manually started transaction"
        ),
        asyncpg.InternalClientError(
            "cannot switch to state 11; another operation (2) is in progress"
        ),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    ],
)
def test_a_lost_connection_is_unavailable_and_reads_are_repeated(error: Exception) -> None:
    assert is_lost(error)
    refusal = unavailable(error)
    assert refusal is not None
    assert refusal.code == AWAY


def test_a_mistake_in_using_the_driver_is_not_taken_for_an_absent_database() -> None:
    for error in (asyncpg.InterfaceError("a fault"), asyncpg.DataError("not a number")):
        assert unavailable(error) is None
