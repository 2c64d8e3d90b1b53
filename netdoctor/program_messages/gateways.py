"""Why a pod of the gateways does not start, in the order in which its log is searched."""

from netdoctor.program_messages import litellm, postgres

MESSAGES = (
    *litellm.CONFIG,
    *postgres.REFUSED,
    *postgres.NAME,
    *litellm.UNREACHABLE,
    *postgres.UNREACHABLE,
    *litellm.DATABASE,
)
