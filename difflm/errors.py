"""One exception tree: every message says what was expected, what was found, what to do."""


class DiffLMError(Exception):
    """Base of all errors that are meant for the user; the command line turns it into exit code 2."""

    def __init__(self, expected: str, got: str = "", do: str = "") -> None:
        self.expected, self.got, self.do = expected, got, do
        text = f"expected {expected}, but got {got}" if got else expected
        super().__init__(f"{text}; {do}" if do else text)


class DataError(DiffLMError):
    """A file or frame that cannot be read or trained on."""


class SchemaError(DiffLMError):
    """A column, type or cell that does not fit the schema."""


class ConfigError(DiffLMError):
    """An unknown preset or option, or settings that contradict each other."""


class RunError(DiffLMError):
    """A run directory that is missing, half written, busy, or from elsewhere."""


class ResourceError(DiffLMError):
    """Memory that is not enough; the message names a number that is."""


class TrainingError(DiffLMError):
    """A training that cannot go on; its last good state is kept."""


class GenerationError(DiffLMError):
    """Conditions that no generated record met within the allowed attempts."""


class NotBuiltError(DiffLMError):
    """A part of the contract that this version does not have yet."""
