"""What LiteLLM 1.106.2, and Prisma in it, write before they end."""

from netdoctor.program_messages.message import Kind, Message

CODE = "https://github.com/BerriAI/litellm"
PRISMA = "https://www.prisma.io/docs/orm/reference/error-reference"
CONFIG = (
    Message(r"no master key is set", "LiteLLM has no master key: LITELLM_MASTER_KEY is empty", CODE,
            kind=Kind.KEY, lasting=True),
    Message(r"master key is a publicly known default", "LiteLLM refuses its well-known default key", CODE,
            kind=Kind.KEY, lasting=True),
    Message(r"Config file not found: (\S+)", "LiteLLM's config file {1} is not there", CODE,
            kind=Kind.GATEWAY_CONFIG, lasting=True),
    Message(r"No module named '(\w+)'", "the image has no Python package {1}, which the config needs",
            "https://docs.python.org/3/library/exceptions.html#ModuleNotFoundError",
            kind=Kind.GATEWAY_CONFIG, lasting=True),
    Message(r"(?:while (?:parsing|scanning)|mapping values|could not find expected).{0,120}?(line \d+)",
            "LiteLLM's config is not YAML: {1}", "https://pyyaml.org/wiki/PyYAMLDocumentation",
            kind=Kind.GATEWAY_CONFIG, lasting=True),
    Message(r"error while attempting to bind on address \(([^)]*)\)", "its port is taken: {1}",
            "https://docs.python.org/3/library/asyncio-eventloop.html", lasting=True),
)  # fmt: skip
UNREACHABLE = (
    Message(r"P1001: Can't reach database server at `([^`]*)`", "it cannot reach Postgres at {1}", PRISMA,
            kind=Kind.NETWORK),
)  # fmt: skip
DATABASE_URL = (
    Message(r"unsupported scheme '(\w+)'", "LiteLLM wants a postgresql:// URL, not {1}://", CODE,
            kind=Kind.DATABASE, lasting=True),
    Message(r"prisma CLI is neither on PATH|Unable to find Prisma binaries",
            "the image has no Prisma, which LiteLLM needs for its database", CODE, kind=Kind.IMAGE, lasting=True),
)  # fmt: skip
