"""What an app's configuration holds, in the order in which it is written to an app.

A feature with something to configure adds its section here, after those that it leans on, and a file of before goes on
to work: a section that a file does not have is left alone.
"""

from typing import Final

from ops.app_config.section import Section
from ops.app_config.sections.access import AccessSection, OriginsSection
from ops.app_config.sections.grants import RolesSection, TypesSection
from ops.app_config.sections.indexes import IndexesSection
from ops.app_config.sections.spend import SpendSection

SECTIONS: Final[tuple[Section, ...]] = (
    RolesSection(),
    TypesSection(),
    IndexesSection(),
    AccessSection(),
    OriginsSection(),
    SpendSection(),
)

LEFT_OUT: Final = (
    ("API keys and signing keys", "they are secret"),
    ("plan, quotas and rate limits", "they are what was agreed for one app"),
    ("name, environment and shard", "they say which app it is"),
)
"""What is in no file, with the reason."""

ASKED_FOR: Final = tuple(section.name for section in SECTIONS if section.asked_for)
