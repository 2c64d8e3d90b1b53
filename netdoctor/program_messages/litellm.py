"""What LiteLLM 1.106.2, and Prisma in it, write before they end."""

from netdoctor.program_messages.message import Kind, Message

CODE = "https://github.com/BerriAI/litellm"
PRISMA = "https://www.prisma.io/docs/orm/reference/error-reference"
ENDS = "gateway-keeps-ending"  # the probe of what is a fault of the gateway itself
CONFIG = (
    Message(r"no master key is set", "LiteLLM has no master key: LITELLM_MASTER_KEY is empty",
            "https://github.com/BerriAI/litellm/pull/42019", cause=ENDS, kind=Kind.KEY, lasting=True),
    Message(r"master key is a publicly known default", "LiteLLM refuses its well-known default key",
            "https://github.com/BerriAI/litellm/pull/42019", cause=ENDS, kind=Kind.KEY, lasting=True),
    Message(r"Error decrypting value.{0,80}?salt key change",
            "LiteLLM cannot read what it keeps in its database: the salt key, or the master key, was changed",
            "https://github.com/BerriAI/litellm/issues/10399", cause=ENDS, kind=Kind.KEY, lasting=True),
    Message(r"Config file not found: (\S+)", "LiteLLM's config file {1} is not there", CODE,
            cause=ENDS, kind=Kind.GATEWAY_CONFIG, lasting=True),
    Message(r"No module named '(\w+)'", "the image has no Python package {1}, which the config needs",
            "https://docs.python.org/3/library/exceptions.html#ModuleNotFoundError",
            cause=ENDS, kind=Kind.GATEWAY_CONFIG, lasting=True),
    Message(r"(?:while (?:parsing|scanning)|mapping values|could not find expected).{0,120}?(line \d+)",
            "LiteLLM's config is not YAML: {1}", "https://pyyaml.org/wiki/PyYAMLDocumentation",
            cause=ENDS, kind=Kind.GATEWAY_CONFIG, lasting=True),
    Message(r"error while attempting to bind on address \(([^)]*)\)", "its port is taken: {1}",
            "https://docs.python.org/3/library/asyncio-eventloop.html", cause=ENDS, lasting=True),
)  # fmt: skip
UNREACHABLE = (
    Message(r"P1001: Can't reach database server at `([^`]*)`", "it cannot reach Postgres at {1}", PRISMA,
            cause="postgres-unreachable", kind=Kind.NETWORK),
)  # fmt: skip
DATABASE = (
    Message(r"unsupported scheme '(\w+)'", "LiteLLM wants a postgresql:// URL, not {1}://", CODE,
            cause=ENDS, kind=Kind.DATABASE, lasting=True),
    Message(r"P1002.{0,300}?advisory lock",
            "its migration waits for a lock that another session of Postgres holds (a pooler in transaction mode, or a "
            "session that was left behind)", "https://github.com/BerriAI/litellm/pull/26712",
            cause=ENDS, kind=Kind.DATABASE),
    Message(r"prisma CLI is neither on PATH|Unable to find Prisma binaries",
            "the image has no Prisma, which LiteLLM needs for its database", CODE,
            cause=ENDS, kind=Kind.IMAGE, lasting=True),
    Message(r"Permission denied: '?(/[\w./-]{0,80}prisma[\w./-]{0,80})",
            "Prisma may not write {1}: its user has no HOME that it can write to",
            "https://github.com/JiRaska/open-bank-oss/pull/3185", cause=ENDS, kind=Kind.IMAGE, lasting=True),
    Message(r"binaries\.prisma\.sh\S{0,200} failed",
            "it downloads Prisma's engines as it starts, and binaries.prisma.sh is not reached",
            "https://github.com/BerriAI/litellm/issues/33167", cause=ENDS, kind=Kind.IMAGE),
    Message(r"GET /health HTTP/1\.[01]\"? 401", "its probe asks /health, which needs a key: ask /health/liveliness",
            "https://github.com/BerriAI/litellm/issues/9576", cause=ENDS, kind=Kind.PROBE, lasting=True),
)  # fmt: skip
