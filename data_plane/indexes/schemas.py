"""Bodies of requests about indexes."""

from data_plane.gateway.routes import Payload
from data_plane.query.models import IndexType


class PutIndex(Payload, frozen=True, kw_only=True):
    """Body of `PUT /v1/indexes/{resource}/{field}`: what the values are. `list` holds texts, for `$contains`."""

    type: IndexType
