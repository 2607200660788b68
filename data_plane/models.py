"""The declarative base of the chat schema's tables."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase


class ChatModel(DeclarativeBase):
    """A table of the chat schema; every tenant table's primary key begins with `app_id`."""

    metadata = MetaData(schema="chat")
