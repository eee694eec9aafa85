"""Everything `model` raises on purpose.

ModelError
├── ConfigError          a setting is unknown, missing or out of range
├── TokenizerError       a tokenizer file is damaged, or a text cannot be encoded
├── SearchError          a search was asked for something it cannot do
└── VersionError         something is wrong with a version folder
    ├── VersionNotFound      no such pair or version
    └── VersionDamaged       a file is missing, changed, or not one of ours
        └── SelfTestFailed       ... or the files are whole, but what they hold does not translate
"""


class ModelError(Exception):
    """Base of all errors in `model`; its text is written for the person who reads it.

    Args:
        problem: what is wrong, without a path.
        place: the file or folder in question. It is in the text, for logs and the command line; a server's clients
            are told only the `problem`, since how the folders of the machine are called is not their business.
    """

    def __init__(self, problem: str, place: object = None) -> None:
        super().__init__(problem, place)
        self.problem, self.place = problem, place

    def __str__(self) -> str:
        return self.problem if self.place is None else f"{self.place}: {self.problem}"


class ConfigError(ModelError):
    """A setting is unknown, missing or out of range."""


class TokenizerError(ModelError):
    """A tokenizer file is damaged, or a text cannot be encoded."""


class SearchError(ModelError):
    """A search was asked for something it cannot do."""


class VersionError(ModelError):
    """Something is wrong with a version folder."""


class VersionNotFound(VersionError):
    """No such language pair or version."""


class VersionDamaged(VersionError):
    """A file of the version is missing, changed, or was not written by us."""


class SelfTestFailed(VersionDamaged):
    """The version can be read, but does not translate as any usable one does."""
