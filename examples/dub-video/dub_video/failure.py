"""The one way to end a job with a message."""


class Failure(Exception):
    """The job cannot be done; the text is one sentence for the person who asked for it.

    Anything else that is raised is a bug or a broken machine and is shown with its traceback.
    """
