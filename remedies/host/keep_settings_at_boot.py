"""Keep at boot the settings that pods need.

## What it does
Writes a file of its own in /etc/sysctl.d for each setting that a file turns off at the next boot, under a name that
sorts after every file that says otherwise. No other file is touched, and no setting is changed now: they are right.

## What it costs
Nothing restarts, and nothing changes before the next boot.

## By hand
`echo net.ipv4.ip_forward = 1 > /etc/sysctl.d/zz-99-netdoctor-ip-forward.conf`, or correct the file that turns it off.

## Undo
Removes the files.
"""

from collections.abc import Iterator

from netdoctor import Change, Finding, remedy
from netdoctor.changes._at_boot import keep_at_boot
from netdoctor.changes.file import WriteFile
from netdoctor.facts.node.sysctl import BRIDGE_NF_CALL, IP_FORWARD, SysctlFiles
from netdoctor.system.host import Host

TOPICS = {IP_FORWARD: "ip-forward", BRIDGE_NF_CALL: "bridge-netfilter"}


@remedy(fixes="settings-undone-at-boot")
def keep_settings_at_boot(findings: tuple[Finding, ...], files: SysctlFiles, host: Host) -> Iterator[Change]:
    """A file for each of them."""
    for finding in findings:
        key = finding.evidence[0].data.setting
        file = keep_at_boot(key, "1", TOPICS[key], files)
        if file and _helps(file, key, files):
            yield WriteFile.planned(*file, live=host.live)


def _helps(file: tuple[str, str, str], key: str, files: SysctlFiles) -> bool:
    """Whether nothing sets another value after it: /etc/sysctl.conf is the administrator's, and comes last."""
    path, text, _ = file
    return all(value == "1" for _, value in SysctlFiles({**files.texts, path: text}).at_boot(key))
