"""Declared indexes, the values they hold, and the words of names. Values and words are written by triggers alone."""

from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Double, Integer, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from data_plane.models import ChatModel

IndexedResource = Literal["channels", "users"]
IndexType = Literal["text", "number", "boolean", "time", "list"]
IndexState = Literal["building", "ready"]
INDEX_TYPES: tuple[str, ...] = get_args(IndexType)


class FieldIndex(ChatModel):
    """A custom field that the customer has declared. `field` is its path inside `custom`."""

    __tablename__ = "field_indexes"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    resource: Mapped[str] = mapped_column(Text, primary_key=True)
    field: Mapped[str] = mapped_column(Text, primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    id: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class FieldValue(ChatModel):
    """A value of one thing's declared field."""

    __tablename__ = "field_values"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    index_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    nth: Mapped[int] = mapped_column(Integer, primary_key=True)
    text_value: Mapped[str | None] = mapped_column(Text)
    number_value: Mapped[float | None] = mapped_column(Double)


class Word(ChatModel):
    """A word of a thing's name, folded."""

    __tablename__ = "words"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    resource: Mapped[str] = mapped_column(Text, primary_key=True)
    word: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    before: Mapped[str | None] = mapped_column(Text)
