"""What Postgres, libpq and Prisma say of a database that a pod cannot use."""

from netdoctor.program_messages.message import Kind, Message

PRISMA = "https://www.prisma.io/docs/orm/reference/error-reference"
CODES = "https://www.postgresql.org/docs/current/errcodes-appendix.html"
LIBPQ = "https://www.postgresql.org/docs/current/libpq-connect.html"
LOGIN, REACHED = "postgres-login-refused", "postgres-unreachable"
REFUSED = (
    Message(r"P1013", "the database URL is invalid (@ # / % in a password must be encoded)", PRISMA,
            cause="gateway-keeps-ending", kind=Kind.DATABASE, lasting=True),
    Message(r"P1000|password authentication failed for user \"([^\"]*)\"",
            "Postgres refuses the password (a Secret that was changed does not change the password of an existing "
            "volume)", CODES, cause=LOGIN, kind=Kind.DATABASE, lasting=True),
    Message(r"P1003|database \"([^\"]*)\" does not exist", "the database {1} does not exist in Postgres", CODES,
            cause=LOGIN, kind=Kind.DATABASE, lasting=True),
    Message(r"P1010|no pg_hba\.conf entry", "Postgres accepts no login from there (pg_hba.conf)", CODES,
            cause=LOGIN, kind=Kind.DATABASE, lasting=True),
    Message(r"too many clients|remaining connection slots|too many connections",
            "Postgres has no connection slot left", CODES, cause="database-slots-exhausted", kind=Kind.DATABASE),
    Message(r"role \"([^\"]*)\" does not exist", "the role {1} does not exist in Postgres", CODES,
            cause=LOGIN, kind=Kind.DATABASE, lasting=True),
    Message(r"P3009|P3018", "a migration of the database failed and has to be resolved by hand", PRISMA,
            cause="gateway-keeps-ending", kind=Kind.DATABASE, lasting=True),
)  # fmt: skip
NAME = (
    Message(r"could not translate host name \"([^\"]*)\"", "it waits for Postgres, whose name {1} does not resolve",
            LIBPQ, cause="postgres-name-unresolved", kind=Kind.NETWORK),
)  # fmt: skip
UNREACHABLE = (
    Message(r"connection to server at \"([^\"]*)\".*?failed: "
            r"(Connection refused|timeout expired|No route to host|Operation timed out)",
            "it waits for Postgres at {1}: {2}", LIBPQ, cause=REACHED, kind=Kind.NETWORK),
    Message(r"timeout expired", "it waits for Postgres, which does not answer", LIBPQ,
            cause=REACHED, kind=Kind.NETWORK),
)  # fmt: skip
