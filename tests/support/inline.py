"""An executor without threads, for tests that put every step in order themselves."""

from concurrent.futures import Executor, Future


class InlineExecutor(Executor):
    """Runs what it is given at once."""

    def submit(self, function, /, *arguments, **named):
        future = Future()
        try:
            future.set_result(function(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return future
