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
    """Base of all errors in `model`; its text is written for the person who reads it."""


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
