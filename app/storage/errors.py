"""What can keep the rows from being kept, each worded as one line for the person who starts it.

StorageError
├── DatabaseRefused           the server answered, but not to this user, password or database
├── SchemaIsNewer             a newer Outcry has migrated this database
├── MigrationBusy             another process is migrating and does not finish
└── EmbeddedPostgresError     our own Postgres cannot run
    ├── DiskFull              nothing can be written until space is freed
    ├── NotWritable           the data directory is read-only or somebody else's
    ├── WrongVersion          the cluster belongs to another major version
    ├── NoUnprivilegedUser    started as root where no other user can be used
    └── StartFailed           anything else; carries Postgres's own last words

While the server runs, an absent or full database is `app.domain.errors.Unavailable` instead.
"""


class StorageError(Exception):
    """The message is one line and says what to do."""


class DatabaseRefused(StorageError): ...


class SchemaIsNewer(StorageError): ...


class MigrationBusy(StorageError): ...


class EmbeddedPostgresError(StorageError): ...


class DiskFull(EmbeddedPostgresError): ...


class NotWritable(EmbeddedPostgresError): ...


class WrongVersion(EmbeddedPostgresError): ...


class NoUnprivilegedUser(EmbeddedPostgresError): ...


class StartFailed(EmbeddedPostgresError): ...
