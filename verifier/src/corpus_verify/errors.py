"""What a check raises."""


class Refused(Exception):
    """The file does not show what it claims; the message says which check failed."""
