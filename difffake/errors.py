"""The one exception that a user's mistake raises."""


class UserError(Exception):
    """A mistake that the user can mend; the message is one line: what is wrong, where, and how to mend it.

    The command line prints it without a traceback and exits with status 1.
    """


class UsageError(UserError):
    """A command line, or its config, that cannot be read as options; the exit status is 2."""


class Terminated(Exception):
    """A run was asked to end by SIGTERM, and has been saved; the text says how to go on."""
