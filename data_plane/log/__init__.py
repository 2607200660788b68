"""The logs: every durable change of a channel or of a user's own state is an entry with a gap-free `seq`."""

from data_plane.log.entries import APP_LOG, CHANNEL, USER, Entry, LogKey, channel_log, user_log
from data_plane.log.reader import LogReader
from data_plane.log.writer import LogWriter

__all__ = ["APP_LOG", "CHANNEL", "USER", "Entry", "LogKey", "LogReader", "LogWriter", "channel_log", "user_log"]
