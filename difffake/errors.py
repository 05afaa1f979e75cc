"""Exceptions for mistakes of a user and for runs that are stopped."""


class UserError(Exception):
    """A mistake that the user can correct. The message is one line: what is wrong, where, and how to correct it.

    The command line prints it without a traceback and exits with status 1.
    """


class UsageError(UserError):
    """A command line, or its config, that cannot be read as options; the exit status is 2."""


class Terminated(Exception):
    """A run was stopped by a signal and has been saved; the message says how to continue it."""
