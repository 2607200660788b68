"""What can go wrong with a query."""

from kernel.errors import InvalidInput, Unavailable


class BadFilter(InvalidInput):
    """The filter or sort cannot be run; `path` says where in it, as `filter.$and[1].name.$gt`."""

    code = "bad_filter"
    title = "The query is not valid"

    @classmethod
    def at(cls, path: str, words: str) -> "BadFilter":
        """The error for one place of the query."""
        return cls(f"`{path}`: {words}", field=path.partition(".")[0].partition("[")[0], path=path)


class QueryTooSlow(Unavailable):
    """The query looked at too many rows and was given up. Ask with `explain` what it reads, and declare an index."""

    code = "query_too_slow"
    title = "The query takes too long"
    retryable = False
    default_retry_after = 5.0
