"""The program `netdoctor`, and `python -m netdoctor`."""

import signal
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line. While it is being imported, Ctrl-C ends the process in silence: nothing has begun."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else its parent has it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from netdoctor.cli import main as run

    run()


if __name__ == "__main__":
    main()
